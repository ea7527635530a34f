/** Questions to servers, over connections that are kept for the next ones. */
import type { SecureContext } from "node:tls"
import { type AnswerHead, Arrival, type Landing } from "./s3Answer.ts"
import { Line, type Origin } from "./s3Line.ts"
import { type Certificates, trusting } from "./s3Trust.ts"
import { openTunnel } from "./s3Tunnel.ts"

export interface Question {
  readonly origin: Origin
  readonly method: string
  /** What is sent: a head, and a body if there is one. */
  readonly pieces: ReadonlyArray<Uint8Array>
  readonly landing: Landing | undefined
}

export interface Answered {
  readonly head: AnswerHead
  readonly body: Uint8Array
}

export interface LinesOptions {
  readonly stallMillis: number
  /** Trusted besides those that Node trusts. */
  readonly certificates?: Certificates | undefined
}

export class Lines {
  readonly #stallMillis: number
  readonly #secureContext: SecureContext | undefined
  readonly #idle = new Map<string, Array<Line>>()
  /** What spares the next connection most of a handshake. */
  readonly #sessions = new Map<string, Buffer>()

  constructor({ certificates, stallMillis }: LinesOptions) {
    this.#stallMillis = stallMillis
    this.#secureContext = trusting(certificates)
  }

  /** Bytes that have landed are a success, whatever ended them. */
  async ask({ landing, method, origin, pieces }: Question, signal: AbortSignal): Promise<Answered> {
    const name = `${origin.protocol}//${origin.hostname}:${origin.port}`
    const line = this.#free(name) ?? (await this.#open(name, origin, signal))
    const arrival = new Arrival(method, landing)
    try {
      await line.ask(pieces, arrival, signal)
      this.#keep(name, line, arrival.head!)
    } catch (error) {
      line.socket.destroy()
      if (signal.aborted || landing === undefined || landing.landed === 0) throw error
      landing.error = error
    }
    return { head: arrival.head!, body: arrival.body }
  }

  close(): void {
    for (const line of [...this.#idle.values()].flat()) line.socket.destroy()
    this.#idle.clear()
  }

  async #open(name: string, origin: Origin, signal: AbortSignal): Promise<Line> {
    const secureContext = this.#secureContext
    const { protocol, proxy } = origin
    const isSecure = protocol === "https:"
    const tunnel = isSecure && proxy ? await openTunnel(proxy, origin, { secureContext, signal }) : undefined
    const session = this.#sessions.get(name)
    const secure = { ...(secureContext && { secureContext }), ...(session && { session }) }
    const line = new Line({ origin, stallMillis: this.#stallMillis, secure, tunnel })
    const forget = () => this.#sessions.delete(name)
    line.socket.on("session", (ticket: Buffer) => this.#sessions.set(name, ticket))
    line.socket.on("error", forget).once("secureConnect", () => line.socket.off("error", forget))
    return line
  }

  #free(name: string): Line | undefined {
    const lines = this.#idle.get(name) ?? []
    for (let line = lines.pop(); line !== undefined; line = lines.pop()) {
      if (line.isFree) return line
    }
    return undefined
  }

  #keep(name: string, line: Line, { headers }: AnswerHead): void {
    if (/(^|[, ])close($|[, ])/i.test(headers.connection ?? "") || !line.isFree) {
      line.socket.destroy()
      return
    }
    line.socket.unref()
    const lines = this.#idle.get(name)
    if (lines === undefined) this.#idle.set(name, [line])
    else lines.push(line)
  }
}
