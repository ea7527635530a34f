/** An HTTP proxy before an S3 server that breaks what passes through it, as wires and servers do. */
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  request,
  type ServerResponse
} from "node:http"
import { Transform } from "node:stream"
import { afterAll } from "vitest"

export type Fault =
  /** Answered by the proxy itself. */
  | { readonly kind: "status"; readonly status: number; readonly code: string }
  /** The body's first bytes, then the connection is closed. */
  | { readonly kind: "cut"; readonly afterBytes: number }
  /** The body's first bytes, then nothing more. */
  | { readonly kind: "stall"; readonly afterBytes: number }
  /** The server does what is asked, its answer is lost. */
  | { readonly kind: "lost" }
  /** One bit of the answer's body is another. */
  | { readonly kind: "flip" }
  /** One bit of the request's body is another. */
  | { readonly kind: "flip sent" }
  /** The connection is closed before the server hears of it. */
  | { readonly kind: "reset" }
  /** The request's body breaks off on its way to the server. */
  | { readonly kind: "cut sent"; readonly afterBytes: number }
  /** The answer's body comes no faster. */
  | { readonly kind: "slow"; readonly bytesPerSecond: number }

export interface Passing {
  readonly method: string
  /** Without its query. */
  readonly path: string
  readonly query: string
  readonly range: string | undefined
  /** Of the request's body. */
  readonly sizeBytes: number
}

export interface FaultyProxy {
  readonly url: string
  /** What passed, since it was last emptied. */
  readonly passed: Array<Passing>
  /** Asked for every request, which waits for the answer. */
  fault: (passing: Passing) => Fault | undefined | Promise<undefined>
}

const refuse = (response: ServerResponse, { code, status }: Extract<Fault, { kind: "status" }>): void => {
  const xml = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>as told</Message></Error>`
  response.writeHead(status, { "content-type": "application/xml", "content-length": xml.length }).end(xml)
}

/** Sends the first bytes of the answer; then it is cut or stalls. */
const sendSome = (
  answer: IncomingMessage,
  response: ServerResponse,
  { afterBytes, kind }: Extract<Fault, { kind: "cut" | "stall" }>
): void => {
  let left = afterBytes
  if (kind === "cut") answer.on("end", () => response.destroy())
  answer.on("data", (chunk: Buffer) => {
    if (left <= 0) return
    const some = chunk.subarray(0, left)
    left -= some.length
    response.write(some, () => {
      if (left > 0) return
      answer.destroy()
      if (kind === "cut") response.destroy()
    })
  })
}

const pass = (answer: IncomingMessage, response: ServerResponse, fault: Fault | undefined): void => {
  if (fault?.kind === "lost") {
    answer.resume().on("end", () => response.destroy())
    return
  }
  response.writeHead(answer.statusCode!, answer.rawHeaders)
  if (fault?.kind === "cut" || fault?.kind === "stall") {
    sendSome(answer, response, fault)
    return
  }
  if (fault?.kind === "slow") {
    answer.pipe(slowedTo(fault.bytesPerSecond)).pipe(response)
    return
  }
  if (fault?.kind === "flip") flipOneBit(answer)
  answer.pipe(response)
}

const flipOneBit = (body: IncomingMessage): void => {
  body.once("data", (chunk: Buffer) => {
    chunk[Math.floor(chunk.length / 2)]! ^= 1
  })
}

const slowedTo = (bytesPerSecond: number): Transform =>
  new Transform({
    transform: (chunk: Buffer, _, done) => {
      setTimeout(() => done(null, chunk), (chunk.length / bytesPerSecond) * 1000)
    }
  })

/** The connection to the server breaks with the body; to the client it looks like the server's doing. */
const sendCut = (incoming: IncomingMessage, onward: ClientRequest, afterBytes: number): void => {
  let left = afterBytes
  incoming.on("data", (chunk: Buffer) => {
    if (left <= 0) return
    left -= chunk.length
    onward.write(chunk, () => left <= 0 && onward.destroy())
  })
  incoming.on("end", () => onward.destroy())
}

/** The request's body goes on only when the server asks for it, where the client waits for that. */
const passBody = (
  incoming: IncomingMessage,
  onward: ClientRequest,
  response: ServerResponse,
  fault: Fault | undefined
): void => {
  const send = (): void => {
    if (fault?.kind === "flip sent") flipOneBit(incoming)
    if (fault?.kind === "cut sent") sendCut(incoming, onward, fault.afterBytes)
    else incoming.pipe(onward)
  }
  if (incoming.headers.expect === undefined) {
    send()
    return
  }
  onward.flushHeaders()
  onward.on("continue", () => {
    response.writeContinue()
    send()
  })
}

/** Listens until the test file ends. `target` is a URL; requests are passed on as they were signed. */
export const startFaultyProxy = (target: string): Promise<FaultyProxy> =>
  new Promise((resolve) => {
    const { hostname: host, port } = new URL(target)
    const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { headers, method = "", url = "" } = incoming
      const [path = "", query = ""] = url.split("?")
      const sizeBytes = Number(headers["content-length"] ?? 0)
      const passing = { method, path, query, range: headers.range, sizeBytes }
      proxy.passed.push(passing)
      const fault = await proxy.fault(passing)
      if (fault?.kind === "reset") {
        response.destroy()
        return
      }
      if (fault?.kind === "status") {
        incoming.resume()
        refuse(response, fault)
        return
      }
      const onward = request({ host, port, method, path: url, headers }, (answer) =>
        pass(answer, response, fault)
      )
      onward.on("error", () => response.destroy())
      response.on("close", () => onward.destroy())
      passBody(incoming, onward, response, fault)
    }
    const server = createServer(handle).on("checkContinue", handle)
    const proxy: FaultyProxy = { url: "", passed: [], fault: () => undefined }
    server.listen(0, "127.0.0.1", () => {
      const listening = server.address() as { readonly port: number }
      resolve(Object.assign(proxy, { url: `http://127.0.0.1:${listening.port}` }))
    })
    afterAll(() => {
      server.closeAllConnections()
      server.close()
    })
  })
