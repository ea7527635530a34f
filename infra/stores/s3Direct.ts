/**
 * Bodies of answers that go straight from the socket into memory which is there already. Node's own client
 * makes two new buffers of every 64 KiB that arrive; of a gigabyte that costs the garbage collector three
 * seconds. The SDK makes, signs and retries the requests and reads the answers' heads as always; only who
 * sends and receives is another. Answers in a form that is not known here are left to Node's client.
 */
import { connect as connectPlain, type Socket } from "node:net"
import { Readable } from "node:stream"
import { connect as connectSecure } from "node:tls"
import type { GetObjectCommand } from "@aws-sdk/client-s3"

/** A signed request, as the SDK hands it to its client. */
interface SignedRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: { readonly [name: string]: string | ReadonlyArray<string> | null }
  readonly headers: { readonly [name: string]: string }
}

interface AnswerHead {
  readonly statusCode: number
  readonly headers: { readonly [name: string]: string }
}

/** Where the bytes of a range go to. */
export interface Landing {
  readonly bytes: Uint8Array
  /** Of the first byte, in the object. */
  readonly start: number
  /** How many have come. */
  landed: number
  /** Why no more came. */
  error: unknown
}

const connectMillis = 5_000
const readBytes = 256 * 1024
const headBytesMax = 64 * 1024
/** Of a refusal. */
const bodyBytesMax = 2 ** 20

const failure = (code: string, message: string) => Object.assign(new Error(message), { code })

const textOf = ({ headers, hostname, path, port, query = {} }: SignedRequest): string => {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ""].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`)
  )
  const lines = { host: port === undefined ? hostname : `${hostname}:${port}`, ...headers }
  const said = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path}${pairs.length === 0 ? "" : `?${pairs.join("&")}`} HTTP/1.1\r\n${said.join("")}\r\n`
}

const headFrom = (text: string): AnswerHead => {
  const [first = "", ...lines] = text.split("\r\n")
  const status = /^HTTP\/1\.1 (\d{3})/.exec(first)?.[1]
  if (status === undefined) throw failure("EPROTO", "what answers does not speak HTTP/1.1")
  const headers = lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return { statusCode: Number(status), headers: Object.fromEntries(headers) }
}

/** A connection that is asked for one thing at a time. */
class Line {
  readonly socket: Socket
  /** What is done with bytes that arrive, and with the end of the connection. */
  #receive: ((bytes: Uint8Array) => void) | undefined
  #fail: ((error: unknown) => void) | undefined

  constructor({ hostname, port, protocol }: SignedRequest, stallMillis: number) {
    const isSecure = protocol === "https:"
    const options = {
      host: hostname,
      port: port ?? (isSecure ? 443 : 80),
      onread: {
        buffer: Buffer.allocUnsafeSlow(readBytes),
        callback: (count: number, bytes: Uint8Array) => {
          this.#receive?.(bytes.subarray(0, count))
          return true
        }
      }
    }
    this.socket = isSecure
      ? connectSecure({ ...options, servername: hostname })
      : connectPlain({ ...options, noDelay: true })
    const end = (error?: unknown) => this.#fail?.(error ?? failure("ECONNRESET", "the connection was closed"))
    this.socket.setTimeout(connectMillis)
    this.socket.once(isSecure ? "secureConnect" : "connect", () => this.socket.setTimeout(stallMillis))
    this.socket.on("timeout", () => this.socket.destroy(failure("ETIMEDOUT", "nothing came for too long")))
    this.socket.on("error", end)
    this.socket.on("end", () => this.socket.destroy())
    this.socket.on("close", () => end())
  }

  /** Sends, and gives what comes to `receive` until that says that it was all. */
  ask(text: string, receive: (bytes: Uint8Array) => boolean, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const stop = () => this.socket.destroy(signal.reason as Error)
      const settle = (act: () => void) => {
        this.#receive = undefined
        this.#fail = undefined
        signal.removeEventListener("abort", stop)
        act()
      }
      this.#fail = (error) => settle(() => reject(error))
      this.#receive = (bytes) => {
        try {
          if (receive(bytes)) settle(resolve)
        } catch (error) {
          settle(() => reject(error))
          this.socket.destroy()
        }
      }
      if (this.socket.destroyed) return this.#fail(failure("ECONNRESET", "the connection was closed"))
      signal.addEventListener("abort", stop)
      this.socket.ref()
      this.socket.write(text)
    })
  }
}

/** The answer is in no form that is known here; Node's client knows it. */
class UnknownForm extends Error {}

/** An answer while it arrives. */
class Arrival {
  head: AnswerHead | undefined
  /** Of an answer that is not the range that was asked for. */
  readonly other: Array<Buffer> = []
  #text = Buffer.alloc(0)
  #left = 0
  #isRange = false
  readonly #landing: Landing

  constructor(landing: Landing) {
    this.#landing = landing
  }

  /** `true` with the last byte. */
  take(bytes: Uint8Array): boolean {
    return this.head === undefined ? this.#takeHead(bytes) : this.#takeBody(bytes)
  }

  #takeHead(bytes: Uint8Array): boolean {
    this.#text = Buffer.concat([this.#text, bytes])
    const end = this.#text.indexOf("\r\n\r\n")
    if (end === -1) {
      if (this.#text.length > headBytesMax) throw failure("EPROTO", "the answer's head has no end")
      return false
    }
    const head = headFrom(this.#text.toString("latin1", 0, end))
    const length = head.headers["content-length"]
    if (length === undefined || head.headers["content-encoding"] !== undefined) throw new UnknownForm()
    this.#left = Number(length)
    const { bytes: room, start } = this.#landing
    const range = head.headers["content-range"]
    this.#isRange = head.statusCode === 206 && range?.startsWith(`bytes ${start}-`) === true
    if (this.#left > (this.#isRange ? room.length : bodyBytesMax)) throw new UnknownForm()
    this.head = head
    return this.#takeBody(this.#text.subarray(end + 4))
  }

  #takeBody(bytes: Uint8Array): boolean {
    if (bytes.length > this.#left) throw failure("EPROTO", "the server sent more than it said")
    if (this.#isRange) {
      this.#landing.bytes.set(bytes, this.#landing.landed)
      this.#landing.landed += bytes.length
    } else this.other.push(Buffer.from(bytes))
    this.#left -= bytes.length
    return this.#left === 0
  }
}

/** Connections to a server, kept for the next request. */
export class DirectBodies {
  readonly #stallMillis: number
  readonly #idle = new Map<string, Array<Line>>()
  #isUnfit = false

  constructor(stallMillis: number) {
    this.#stallMillis = stallMillis
  }

  /** Sees to it that the command's answer goes to `landing`; its own body is then empty. */
  route(command: GetObjectCommand, landing: Landing, signal: AbortSignal): void {
    command.middlewareStack.add(
      (next) => async (args) => {
        if (this.#isUnfit) return next(args)
        try {
          return { response: await this.#exchange(args.request as SignedRequest, landing, signal) } as never
        } catch (error) {
          if (!(error instanceof UnknownForm)) throw error
          this.#isUnfit = true
          return next(args)
        }
      },
      { step: "deserialize", priority: "low", name: "directBodies" }
    )
  }

  close(): void {
    for (const line of [...this.#idle.values()].flat()) line.socket.destroy()
    this.#idle.clear()
  }

  async #exchange(request: SignedRequest, landing: Landing, signal: AbortSignal) {
    landing.landed = 0
    const origin = `${request.protocol}//${request.hostname}:${request.port}`
    const line = this.#free(origin) ?? new Line(request, this.#stallMillis)
    const arrival = new Arrival(landing)
    try {
      await line.ask(textOf(request), (bytes) => arrival.take(bytes), signal)
      this.#keep(origin, line, arrival.head!)
    } catch (error) {
      line.socket.destroy()
      if (signal.aborted || landing.landed === 0) throw error
      landing.error = error
    }
    const { headers, statusCode } = arrival.head!
    // What the SDK would check the body against, which it does not see.
    const others = Object.entries(headers).filter(([name]) => !name.startsWith("x-amz-checksum-"))
    const body = Readable.from([Buffer.concat(arrival.other)], { objectMode: false })
    return { statusCode, headers: Object.fromEntries(others), body }
  }

  #free(origin: string): Line | undefined {
    const lines = this.#idle.get(origin) ?? []
    for (let line = lines.pop(); line !== undefined; line = lines.pop()) {
      if (!line.socket.destroyed) return line
    }
    return undefined
  }

  #keep(origin: string, line: Line, { headers }: AnswerHead): void {
    if (headers.connection?.toLowerCase() === "close") {
      line.socket.destroy()
      return
    }
    line.socket.unref()
    this.#idle.set(origin, [...(this.#idle.get(origin) ?? []), line])
  }
}
