/**
 * A connection to a server that is asked for one thing at a time. Bytes go from the socket into memory that
 * is there already: Node's own client makes two new buffers of every 64 KiB that arrive, which of a gigabyte
 * costs the garbage collector three seconds.
 */
import { connect as connectPlain, isIP, type Socket } from "node:net"
import { type ConnectionOptions, connect as connectSecure } from "node:tls"
import type { HttpProxy } from "../network/proxies.ts"

export interface Origin {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  /** What stands between: a server without TLS is asked through it for whole addresses. */
  readonly proxy?: HttpProxy | undefined
}

export interface LineOptions {
  readonly origin: Origin
  readonly stallMillis: number
  /** What TLS is spoken with. */
  readonly secure?: Pick<ConnectionOptions, "secureContext" | "session">
  /** A connection through the proxy to a server with TLS, open already. */
  readonly tunnel?: Socket | undefined
}

/** Who is given what arrives. */
export interface Receiver {
  /** Where the next bytes are wanted; `undefined`: anywhere. */
  readonly room: () => Uint8Array | undefined
  /** Bytes that came, `inPlace` in the room that was asked for last. Gives `true` with the last of all. */
  readonly take: (bytes: Uint8Array, inPlace: boolean) => boolean
  /** What is to be waited for before more is taken, if anything. */
  readonly waiting: () => Promise<void> | undefined
}

const connectMillis = 5_000
/** Of an answer's head and of what comes with it. */
const spareBytes = 64 * 1024

/** The code of what arrived and is no answer. */
export const badAnswer = "BAD_ANSWER"
export const tooMuch = "the server sent more than it said"

export const failure = (code: string, message: string) => Object.assign(new Error(message), { code })

/** Of lines that are closed, for the next: some servers close one after every answer. */
const spares: Array<Buffer> = []

export class Line {
  readonly socket: Socket
  readonly #spare = spares.pop() ?? Buffer.allocUnsafeSlow(spareBytes)
  #receiver: Receiver | undefined
  #fail: ((error: unknown) => void) | undefined
  #isSent = true
  #isWaiting = false
  readonly #stallMillis: number

  constructor({ origin, secure, stallMillis, tunnel }: LineOptions) {
    this.#stallMillis = stallMillis
    const isTunnelled = tunnel !== undefined
    const { hostname, port, protocol } = isTunnelled ? origin : (origin.proxy ?? origin)
    const isSecure = protocol === "https:"
    const host = hostname.replace(/^\[(.*)\]$/, "$1")
    const options = {
      host,
      port: port ?? (isSecure ? 443 : 80),
      onread: {
        buffer: () => this.#receiver?.room() ?? this.#spare,
        callback: (count: number, bytes: Uint8Array) => this.#take(bytes.subarray(0, count))
      }
    }
    const name = isIP(host) === 0 ? { servername: host } : {}
    this.socket = isSecure
      ? connectSecure({ ...(isTunnelled ? { host, socket: tunnel } : options), ...name, ...secure })
      : connectPlain({ ...options, noDelay: true })
    if (isTunnelled) {
      // Of TLS within another connection Node gives no bytes where they are wanted.
      this.socket.on("data", (bytes: Uint8Array) => this.#take(bytes, false) || this.socket.pause())
    }
    const end = (error?: unknown) => this.#fail?.(error ?? failure("ECONNRESET", "the connection was closed"))
    this.socket.setTimeout(connectMillis)
    this.socket.once(isSecure ? "secureConnect" : "connect", () => this.socket.setTimeout(stallMillis))
    this.socket.on("timeout", () => this.socket.destroy(failure("ETIMEDOUT", "nothing came for too long")))
    this.socket.on("error", end)
    this.socket.on("end", () => this.socket.destroy())
    this.socket.on("close", () => {
      spares.push(this.#spare)
      end()
    })
  }

  /** Whether it can be asked for another thing: it stands, and all was sent. */
  get isFree(): boolean {
    return !this.socket.destroyed && this.#isSent
  }

  /** Sends, and gives what comes to `receiver` until that says that it was all. */
  ask(pieces: ReadonlyArray<Uint8Array>, receiver: Receiver, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error)
      const stop = () => this.socket.destroy(signal.reason as Error)
      const settle = (act: () => void) => {
        this.#receiver = undefined
        this.#fail = undefined
        signal.removeEventListener("abort", stop)
        act()
      }
      this.#fail = (error) => settle(() => reject(error))
      const take = (bytes: Uint8Array, inPlace: boolean): boolean => {
        const isAll = receiver.take(bytes, inPlace)
        if (isAll) settle(resolve)
        return isAll
      }
      this.#receiver = { room: () => receiver.room(), take, waiting: () => receiver.waiting() }
      if (this.socket.destroyed) return this.#fail(failure("ECONNRESET", "the connection was closed"))
      signal.addEventListener("abort", stop)
      this.socket.ref()
      this.#send(pieces)
    })
  }

  #send(pieces: ReadonlyArray<Uint8Array>): void {
    this.#isSent = false
    this.socket.cork()
    for (const piece of pieces.slice(0, -1)) this.socket.write(piece)
    this.socket.write(pieces.at(-1)!, () => {
      this.#isSent = true
    })
    this.socket.uncork()
  }

  /** Whether more may come at once. */
  #take(bytes: Uint8Array, inPlace = bytes.buffer !== this.#spare.buffer): boolean {
    try {
      // Nobody asked for anything: what comes then would be taken for an answer to the next question.
      if (this.#receiver === undefined) throw failure(badAnswer, tooMuch)
      if (this.#receiver.take(bytes, inPlace)) return true
      const room = this.#receiver.waiting()
      if (room === undefined) return true
      if (!this.#isWaiting) this.#wait(room, this.#receiver)
      return false
    } catch (error) {
      this.#fail?.(error)
      this.socket.destroy()
    }
    return true
  }

  /** Nothing is read meanwhile, so nothing counts as a stall. */
  #wait(room: Promise<void>, receiver: Receiver): void {
    this.#isWaiting = true
    this.socket.setTimeout(0)
    void room.then(() => {
      this.#isWaiting = false
      if (this.#receiver !== receiver) return
      this.socket.setTimeout(this.#stallMillis)
      if (this.#take(new Uint8Array(0), false)) this.socket.resume()
    })
  }
}
