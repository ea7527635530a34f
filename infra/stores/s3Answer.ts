/** An answer in HTTP/1.1 while it arrives: its head, and its body in memory or where it is wanted. */
import { failure, type Receiver } from "./s3Line.ts"

export interface AnswerHead {
  readonly statusCode: number
  /** By names in small letters. */
  readonly headers: { readonly [name: string]: string }
}

/** Where the bytes of a range go to. */
export interface Landing {
  /** Of the first byte, in the object. */
  readonly start: number
  /**
   * Memory for so many bytes, asked for once the object's size is known; `undefined` where more come than
   * were asked for.
   */
  readonly room: (lengthBytes: number, sizeBytes: number) => Uint8Array | undefined
  /** How many have come. */
  landed: number
  /** Why no more came. */
  error: unknown
}

/** The answer is in no form that is known here; Node's client knows it. */
export class UnknownForm extends Error {}

const headBytesMax = 64 * 1024
/** Of what does not land. */
const bodyBytesMax = 2 ** 20

const headFrom = (text: string): AnswerHead => {
  const [first = "", ...lines] = text.split("\r\n")
  const status = /^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]
  if (status === undefined) throw failure("EPROTO", "what answers does not speak HTTP/1.1")
  const headers: { [name: string]: string } = {}
  for (const line of lines) {
    const colon = line.indexOf(":")
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  return { statusCode: Number(status), headers }
}

/** What is in the chunks so far, and whether the last one was among them. */
const unchunked = (bytes: Buffer): { readonly body: Buffer; readonly isAll: boolean } => {
  const chunks: Array<Buffer> = []
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at)
    const length = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16)
    if (lineEnd === -1) return { body: Buffer.concat(chunks), isAll: false }
    if (Number.isNaN(length)) throw failure("EPROTO", "a chunk has no length")
    // After the last one there may be more lines of the head's kind; then an empty one.
    if (length === 0) return { body: Buffer.concat(chunks), isAll: bytes.indexOf("\r\n\r\n", lineEnd) !== -1 }
    const start = lineEnd + 2
    if (start + length + 2 > bytes.length) return { body: Buffer.concat(chunks), isAll: false }
    chunks.push(bytes.subarray(start, start + length))
    at = start + length + 2
  }
}

const isBodiless = (method: string, status: number): boolean =>
  method === "HEAD" || status === 204 || status === 304

export class Arrival implements Receiver {
  head: AnswerHead | undefined
  /** Of an answer whose bytes do not land. */
  body: Buffer = Buffer.alloc(0)
  #text: Buffer = Buffer.alloc(0)
  /** Of the body; `undefined` where only its chunks tell. */
  #left: number | undefined = 0
  #room: Uint8Array | undefined
  readonly #method: string
  readonly #landing: Landing | undefined

  constructor(method: string, landing: Landing | undefined) {
    this.#method = method
    this.#landing = landing
  }

  room(): Uint8Array | undefined {
    return this.#left === 0 ? undefined : this.#room?.subarray(this.#landing!.landed)
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
      if (this.#text.length > headBytesMax) throw failure("EPROTO", "the answer's head has no end")
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
    const length = headers["content-length"]
    if (headers["content-encoding"] !== undefined) throw new UnknownForm()
    if (length === undefined && headers["transfer-encoding"]?.toLowerCase() !== "chunked")
      throw new UnknownForm()
    this.#left = length === undefined ? undefined : Number(length)
    const isLanding = this.#landing !== undefined && statusCode < 300 && this.#isWanted(statusCode, headers)
    if (isLanding) {
      if (this.#left === undefined) throw new UnknownForm()
      const size = headers["content-range"]?.split("/")[1] ?? length
      this.#room = this.#landing!.room(this.#left, Number(size))
      if (this.#room === undefined) throw new UnknownForm()
    } else if (this.#left !== undefined && this.#left > bodyBytesMax) throw new UnknownForm()
  }

  /** The bytes that were asked for; a server that knows no ranges gives all. */
  #isWanted(status: number, headers: AnswerHead["headers"]): boolean {
    const { start } = this.#landing!
    return status === 206
      ? headers["content-range"]?.startsWith(`bytes ${start}-`) === true
      : status === 200 && start === 0
  }

  #takeBody(bytes: Uint8Array, inPlace: boolean): boolean {
    if (this.#left === undefined) return this.#takeChunks(bytes)
    if (bytes.length > this.#left) throw failure("EPROTO", "the server sent more than it said")
    if (this.#room !== undefined) {
      if (!inPlace) this.#room.set(bytes, this.#landing!.landed)
      this.#landing!.landed += bytes.length
    } else if (bytes.length > 0) this.body = Buffer.concat([this.body, bytes])
    this.#left -= bytes.length
    return this.#left === 0
  }

  #takeChunks(bytes: Uint8Array): boolean {
    this.#text = Buffer.concat([this.#text, bytes])
    if (this.#text.length > bodyBytesMax) throw new UnknownForm()
    const { body, isAll } = unchunked(this.#text)
    this.body = body
    return isAll
  }
}
