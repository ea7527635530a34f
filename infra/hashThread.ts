/**
 * SHA-256, and writing to files, in a thread of its own, one for the process, beside whoever moves the bytes.
 * Who asks for both of the same bytes has them written out of the processor's cache.
 */
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"

/**
 * Linux takes a piece of memory for each write: up to this size from lists of what was just freed; larger
 * ones are mostly long unused, which in a virtual machine costs up to ten times as much.
 */
const writeBytesMax = 32 * 1024

/** As text, so that it runs out of whatever bundle this module is in. */
const program = `
const { createHash } = require("node:crypto")
const { writeSync } = require("node:fs")
const { parentPort } = require("node:worker_threads")
const hashes = new Map()
const hashed = ({ id, bytes, isLast }) => {
  const hash = hashes.get(id) ?? createHash("sha256")
  if (bytes !== undefined) hash.update(bytes)
  if (isLast) hashes.delete(id)
  else hashes.set(id, hash)
  return { hex: isLast ? hash.digest("hex") : "" }
}
const written = ({ descriptor, bytes }) => {
  try {
    for (let at = 0; at < bytes.length; )
      at += writeSync(descriptor, bytes, at, Math.min(${writeBytesMax}, bytes.length - at))
    return { hex: "" }
  } catch ({ code, message }) {
    return { code, message }
  }
}
parentPort.on("message", (job) =>
  parentPort.postMessage(job.descriptor === undefined ? hashed(job) : written(job)))`

type Job =
  | { readonly id: number; readonly bytes?: Uint8Array | undefined; readonly isLast: boolean }
  | { readonly descriptor: number; readonly bytes: Uint8Array }

type Answer = { readonly hex: string } | { readonly code: string; readonly message: string }

interface Waiting {
  readonly resolve: (hex: string) => void
  readonly reject: (error: Error) => void
}

/** Answers come in the order of the questions. The process waits for them, and not for the thread. */
class HashThread {
  readonly #worker = new Worker(program, { eval: true, execArgv: [] })
  readonly #waiting: Array<Waiting> = []
  #numIds = 0

  constructor() {
    this.#worker.unref()
    this.#worker.on("message", (answer: Answer) => {
      const { reject, resolve } = this.#waiting.shift()!
      if (this.#waiting.length === 0) this.#worker.unref()
      if ("hex" in answer) resolve(answer.hex)
      else reject(Object.assign(new Error(answer.message), { code: answer.code }))
    })
    this.#worker.on("error", (error) => {
      thread = undefined
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    })
  }

  newId(): number {
    return this.#numIds++
  }

  do(job: Job): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ resolve, reject }) === 1) this.#worker.ref()
      this.#worker.postMessage(job)
    })
  }
}

let thread: HashThread | undefined

/** Memory that the thread sees without a copy. */
export const sharedRoom = (sizeBytes: number): Buffer => Buffer.from(new SharedArrayBuffer(sizeBytes))

const isShared = (bytes: Uint8Array): boolean => bytes.buffer instanceof SharedArrayBuffer

/** What the thread can see: a message would copy all of the memory that other bytes lie in. */
const visible = (bytes: Uint8Array): Uint8Array => (isShared(bytes) ? bytes : new Uint8Array(bytes))

const canHelp = availableParallelism() > 1

/** `undefined` where there is one core only. */
const theThread = (): HashThread | undefined => {
  if (canHelp) thread ??= new HashThread()
  return thread
}

/** The hash of bytes that come one after another, in hexadecimal digits; `undefined` on one core. */
export const hashBeside = () => {
  const here = theThread()
  if (here === undefined) return undefined
  const id = here.newId()
  let last: Promise<unknown> = Promise.resolve()
  return {
    /** Resolves when the bytes before these are done with. */
    update: async (bytes: Uint8Array): Promise<void> => {
      await last
      last = here.do({ id, bytes: visible(bytes), isLast: false })
      // Told by whoever waits for it.
      last.catch(() => undefined)
    },
    digest: async (): Promise<string> => {
      await last
      return here.do({ id, isLast: true })
    }
  }
}

/** The hash of bytes in a `sharedRoom`; `undefined` where they are not, or on one core. */
export const hashedBeside = (bytes: Uint8Array): Promise<string> | undefined => {
  const here = isShared(bytes) ? theThread() : undefined
  return here?.do({ id: here.newId(), bytes, isLast: true })
}

/**
 * Appends bytes in a `sharedRoom` to an open file; `undefined` where they are not, or on one core. Rejects
 * with the system's error.
 */
export const writtenBeside = (descriptor: number, bytes: Uint8Array): Promise<void> | undefined => {
  const here = isShared(bytes) ? theThread() : undefined
  return here?.do({ descriptor, bytes }).then(() => undefined)
}
