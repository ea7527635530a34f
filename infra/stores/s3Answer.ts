/** An answer in HTTP/1.1 while it arrives: its head, and its body in memory or where it is wanted. */
import { badAnswer, failure, type Receiver, tooMuch } from "./s3Line.ts"

export interface AnswerHead {
  readonly statusCode: number
  /** By names in small letters. */
  readonly headers: { readonly [name: string]: string }
}

/** Where the bytes of a range go to. */
export interface Landing {
  /** Of the first byte, in the object. */
  readonly start: number
  /** More will not come; `accepts` decides. */
  readonly lengthBytesMax: number
  /** Asked once the object's size is known; `false` where more come than were asked for. */
  readonly accepts: (lengthBytes: number, sizeBytes: number) => boolean
  /** Memory for the bytes behind those that have landed, or for some; `undefined`: none is free yet. */
  readonly room: () => Uint8Array | undefined
  /** So many more have landed. */
  readonly land: (count: number) => void
  /** Ends when some is free. */
  readonly whenRoom?: () => Promise<void>
  /** How many have come. */
  readonly landed: number
  /** Why no more came. */
  error: unknown
}

/** The answer is in no form that is known here; Node's client knows it. */
export class UnknownForm extends Error {}

const headBytesMax = 64 * 1024
/** Of what does not land. */
const bodyBytesMax = 2 ** 20

/** What arrived is no answer: somebody on the way damaged it, or is not what it seems. */
const unlikeAnAnswer = (message: string): Error => failure(badAnswer, message)

/** Of a name that comes twice, both, as a list. */
const headFrom = (text: string): AnswerHead => {
  const [first = "", ...lines] = text.split("\r\n")
  const [, minor, status] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(first) ?? []
  if (status === undefined) throw unlikeAnAnswer("what answers does not speak HTTP/1.1")
  // Of version 1.0, and a line that goes on in the next.
  if (minor === "0" || lines.some((line) => /^[ \t]/.test(line))) throw new UnknownForm()
  const headers: { [name: string]: string } = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    if (colon < 1) throw unlikeAnAnswer("a line of the answer's head has no name")
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return { statusCode: Number(status), headers }
}

/** Of the body; `undefined` where only its chunks, or its end, tell. */
const lengthFrom = (headers: AnswerHead["headers"]): number | undefined => {
  const text = headers["content-length"]
  if (text === undefined) return undefined
  // Who reads two lengths, or a length and chunks, takes a part of the body for the next answer.
  if (!/^\d{1,15}$/.test(text) || headers["transfer-encoding"] !== undefined)
    throw unlikeAnAnswer("the answer says in two ways, or in none, how long it is")
  return Number(text)
}

/** What arrived in other memory, where it is wanted. */
export const landCopy = (landing: Landing, { headers, statusCode }: AnswerHead, bytes: Uint8Array): void => {
  refuseOthers(landing, statusCode, headers, lengthFrom(headers))
  for (let rest = bytes; rest.length > 0; ) {
    const some = rest.subarray(0, landing.room()!.length)
    landing.room()!.set(some)
    landing.land(some.length)
    rest = rest.subarray(some.length)
  }
}

const chunkPattern = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i

/** What is in the chunks so far, and whether the last one was among them. */
const unchunked = (bytes: Buffer): { readonly body: Buffer; readonly isAll: boolean } => {
  const chunks: Array<Buffer> = []
  const so = (isAll: boolean) => ({ body: Buffer.concat(chunks), isAll })
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at)
    if (lineEnd === -1) return so(false)
    const digits = chunkPattern.exec(bytes.toString("latin1", at, lineEnd))?.[1]
    if (digits === undefined) throw unlikeAnAnswer("a chunk has no length")
    const length = Number.parseInt(digits, 16)
    const start = lineEnd + 2
    const end = start + length
    if (length === 0) {
      // There may be more lines of the head's kind; then an empty one.
      const last = bytes.indexOf("\r\n\r\n", lineEnd)
      if (last !== -1 && last + 4 < bytes.length) throw unlikeAnAnswer(tooMuch)
      return so(last !== -1)
    }
    if (end + 2 > bytes.length) return so(false)
    if (bytes.toString("latin1", end, end + 2) !== "\r\n")
      throw unlikeAnAnswer("a chunk is not as long as it says")
    chunks.push(bytes.subarray(start, end))
    at = end + 2
  }
}

const isBodiless = (method: string, status: number): boolean =>
  method === "HEAD" || status === 204 || status === 304

const rangePattern = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/

/** They must be the bytes that were asked for; a server that knows no ranges gives all. */
const refuseOthers = (
  landing: Landing,
  status: number,
  headers: AnswerHead["headers"],
  length: number | undefined
): void => {
  const whole = ["", 0, (length ?? 0) - 1, length ?? 0].map(Number)
  const range = status === 200 ? whole : (rangePattern.exec(headers["content-range"] ?? "") ?? []).map(Number)
  const [, start = -1, last = -1, size = -1] = range
  const isWanted = start === landing.start && last - start + 1 === length && last < size
  if (!isWanted || !landing.accepts(length, size)) throw new UnknownForm()
}

export class Arrival implements Receiver {
  head: AnswerHead | undefined
  /** Of an answer whose bytes do not land. */
  body: Buffer = Buffer.alloc(0)
  #text: Buffer = Buffer.alloc(0)
  /** Of the body; `undefined` where only its chunks tell. */
  #left: number | undefined = 0
  #isLanding = false
  /** Bytes that came while there was no room for them. */
  #rest: Uint8Array = new Uint8Array(0)
  readonly #method: string
  readonly #landing: Landing | undefined

  constructor(method: string, landing: Landing | undefined) {
    this.#method = method
    this.#landing = landing
  }

  room(): Uint8Array | undefined {
    if (!this.#isLanding || this.#rest.length > 0 || this.#left === 0) return undefined
    return this.#landing!.room()?.subarray(0, this.#left)
  }

  waiting(): Promise<void> | undefined {
    const isFull = this.#isLanding && this.#landing!.room() === undefined
    return isFull ? this.#landing!.whenRoom?.() : undefined
  }

  /** `true` with the last byte. */
  take(bytes: Uint8Array, inPlace: boolean): boolean {
    return this.head === undefined ? this.#takeHead(bytes) : this.#takeBody(bytes, inPlace)
  }

  #takeHead(bytes: Uint8Array): boolean {
    this.#text =
      this.#text.length === 0
        ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
        : Buffer.concat([this.#text, bytes])
    const end = this.#text.indexOf("\r\n\r\n")
    if (end === -1) {
      if (this.#text.length > headBytesMax) throw unlikeAnAnswer("the answer's head has no end")
      // Its memory is used again.
      this.#text = Buffer.from(this.#text)
      return false
    }
    const head = headFrom(this.#text.toString("latin1", 0, end))
    const rest = this.#text.subarray(end + 4)
    this.#text = Buffer.alloc(0)
    // A word in between, like 100.
    if (head.statusCode < 200) return rest.length > 0 && this.#takeHead(rest)
    this.#expectBody(head)
    this.head = head
    return this.#takeBody(rest, false)
  }

  #expectBody({ headers, statusCode }: AnswerHead): void {
    if (isBodiless(this.#method, statusCode)) return
    if (headers["content-encoding"] !== undefined) throw new UnknownForm()
    this.#left = lengthFrom(headers)
    if (this.#landing !== undefined && statusCode < 300) {
      refuseOthers(this.#landing, statusCode, headers, this.#left)
      this.#isLanding = true
    } else if (
      this.#left === undefined
        ? headers["transfer-encoding"]?.toLowerCase() !== "chunked"
        : this.#left > bodyBytesMax
    ) {
      throw new UnknownForm()
    }
  }

  #takeBody(bytes: Uint8Array, inPlace: boolean): boolean {
    if (this.#left === undefined) return this.#takeChunks(bytes)
    if (bytes.length > this.#left) throw unlikeAnAnswer(tooMuch)
    if (this.#isLanding) {
      if (inPlace) this.#landing!.land(bytes.length)
      else this.#copy(bytes)
    } else if (bytes.length > 0) this.body = Buffer.concat([this.body, bytes])
    this.#left -= bytes.length
    return this.#left === 0 && this.#rest.length === 0
  }

  /** To where they are wanted, as far as there is room. */
  #copy(bytes: Uint8Array): void {
    const before = this.#rest.length
    let rest = before === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (rest.length > 0) {
      const room = this.#landing!.room()
      if (room === undefined) break
      const some = rest.subarray(0, room.length)
      room.set(some)
      this.#landing!.land(some.length)
      rest = rest.subarray(some.length)
    }
    // Its memory is used again.
    if (before > 0 || rest.length > 0) this.#rest = new Uint8Array(rest)
  }

  #takeChunks(bytes: Uint8Array): boolean {
    this.#text = Buffer.concat([this.#text, bytes])
    if (this.#text.length > bodyBytesMax) throw new UnknownForm()
    const { body, isAll } = unchunked(this.#text)
    this.body = body
    return isAll
  }
}
