/**
 * Questions asked by a thread of its own: of many small ones, what connections and answers cost takes as long
 * as all else that is done for them. What is sent and what comes lies in memory that both see.
 */
import { Worker } from "node:worker_threads"
import { type AnswerHead, type Landing, landCopy, UnknownForm } from "./s3Answer.ts"
import { failure as failureWith, type Origin } from "./s3Line.ts"
import type { Answered, LinesOptions, Question } from "./s3Lines.ts"

export interface Asked {
  readonly id: number
  readonly origin: Origin
  readonly method: string
  /** In it lies what is sent, so many bytes; what lands comes behind them. */
  readonly slot: number
  readonly sentBytes: number
  /** What lands, if something is to. */
  readonly range: Pick<Landing, "start" | "lengthBytesMax"> | undefined
}

export interface Cancelled {
  readonly cancelled: number
}

export interface Told {
  readonly id: number
  readonly head?: AnswerHead
  readonly body?: Uint8Array
  readonly landedBytes?: number
  /** Why no more came, if not all did. */
  readonly failure:
    | { readonly code: string | undefined; readonly message: string; readonly isUnknownForm: boolean }
    | undefined
}

/** What the thread is given as it starts. */
export interface Shared {
  readonly slab: SharedArrayBuffer
  readonly lines: LinesOptions
}

const slotBytes = 256 * 1024
const numSlots = 32

export const slotIn = (slab: SharedArrayBuffer, slot: number): Uint8Array =>
  new Uint8Array(slab, slot * slotBytes, slotBytes)

interface Waiting {
  readonly slot: number
  readonly sentBytes: number
  readonly landing: Landing | undefined
  readonly signal: AbortSignal
  readonly resolve: (answered: Answered) => void
  readonly reject: (error: unknown) => void
}

const program = () =>
  new URL(import.meta.url.endsWith(".ts") ? "./s3LineWorker.ts" : "./s3LineWorker.js", import.meta.url)

const errorOf = ({ code, isUnknownForm, message }: NonNullable<Told["failure"]>): Error => {
  if (isUnknownForm) return new UnknownForm(message)
  return code === undefined ? new Error(message) : failureWith(code, message)
}

/** The process waits for its answers, and not for the thread. */
export class LineThread {
  readonly #worker: Worker
  readonly #slab = new SharedArrayBuffer(numSlots * slotBytes)
  readonly #freeSlots = Array.from({ length: numSlots }, (_, slot) => slot)
  readonly #waiting = new Map<number, Waiting>()
  /** What is said at once: a message for each would cost as much as what it saves. */
  readonly #outbox: Array<Asked | Cancelled> = []
  #numAsked = 0
  /** Why it does not run any more. */
  #ended: Error | undefined

  constructor(lines: LinesOptions) {
    const workerData: Shared = { slab: this.#slab, lines }
    this.#worker = new Worker(program(), { execArgv: [], workerData })
    this.#worker.unref()
    this.#worker.on("message", (all: ReadonlyArray<Told>) => {
      for (const told of all) this.#hear(told)
    })
    const end = (error: Error) => {
      this.#ended ??= error
      const all = [...this.#waiting.values()]
      this.#waiting.clear()
      for (const { reject } of all) reject(error)
    }
    this.#worker.on("error", end)
    this.#worker.on("exit", () => end(failureWith("ECONNRESET", "the thread of the connections ended")))
  }

  get isRunning(): boolean {
    return this.#ended === undefined
  }

  /** As `Lines.ask`; `undefined` where the question, or what may come, finds no room. */
  ask(question: Question, signal: AbortSignal): Promise<Answered> | undefined {
    const { landing, pieces } = question
    const sentBytes = pieces.reduce((sum, { length }) => sum + length, 0)
    if (landing?.whenRoom !== undefined || this.#freeSlots.length === 0) return undefined
    if (sentBytes + (landing?.lengthBytesMax ?? 0) > slotBytes) return undefined
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error)
      if (this.#ended !== undefined) return reject(this.#ended)
      const stop = () => {
        this.#say({ cancelled: id })
        reject(signal.reason as Error)
      }
      const done =
        <A>(act: (value: A) => void) =>
        (value: A) => {
          signal.removeEventListener("abort", stop)
          act(value)
        }
      const slot = this.#freeSlots.pop()!
      const waiting = { landing, sentBytes, signal, slot, resolve: done(resolve), reject: done(reject) }
      const id = this.#post(question, waiting)
      signal.addEventListener("abort", stop, { once: true })
    })
  }

  close(): void {
    void this.#worker.terminate()
  }

  #post({ method, origin, pieces }: Question, waiting: Waiting): number {
    const { landing, sentBytes, slot } = waiting
    const id = this.#numAsked++
    const room = slotIn(this.#slab, slot)
    let at = 0
    for (const piece of pieces) {
      room.set(piece, at)
      at += piece.length
    }
    if (this.#waiting.size === 0) this.#worker.ref()
    this.#waiting.set(id, waiting)
    const range = landing && { start: landing.start, lengthBytesMax: landing.lengthBytesMax }
    this.#say({ id, method, origin, slot, sentBytes, range })
    return id
  }

  #say(message: Asked | Cancelled): void {
    if (this.#outbox.push(message) > 1) return
    setImmediate(() => this.#worker.postMessage(this.#outbox.splice(0)))
  }

  /**
   * Of a question that was given up, too: only now its memory is free. Where it wanted to have the answer may
   * be another question's by now.
   */
  #hear(told: Told): void {
    const waiting = this.#waiting.get(told.id)
    if (waiting === undefined) return
    this.#waiting.delete(told.id)
    if (this.#waiting.size === 0) this.#worker.unref()
    if (!waiting.signal.aborted) this.#answer(told, waiting)
    this.#freeSlots.push(waiting.slot)
  }

  #answer(told: Told, waiting: Waiting): void {
    try {
      waiting.resolve(this.#answered(told, waiting))
    } catch (error) {
      waiting.reject(error)
    }
  }

  #answered({ body, failure, head, landedBytes = 0 }: Told, waiting: Waiting): Answered {
    const { landing, sentBytes, slot } = waiting
    const error = failure && errorOf(failure)
    if (head === undefined) throw error
    if (landing === undefined) return { head, body: body! }
    const bytes = slotIn(this.#slab, slot).subarray(sentBytes, sentBytes + landedBytes)
    if (head.statusCode < 300) landCopy(landing, head, bytes)
    landing.error = error
    return { head, body: body! }
  }
}
