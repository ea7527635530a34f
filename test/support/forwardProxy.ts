/** A proxy as companies have them: CONNECT for TLS, whole addresses for the rest, a user and password. */
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http"
import { connect } from "node:net"
import type { Duplex } from "node:stream"

/** Where a name leads, as `host:port`. Only the proxy knows. */
export type Names = { readonly [name: string]: string }

export interface ForwardProxyOptions {
  readonly names: Names
  /** Whoever does not say them is refused. */
  readonly login?: string
  /** What it answers in place of all else. */
  readonly status?: number
}

export interface ForwardProxy {
  readonly port: number
  /** What was asked for: `CONNECT host:port` or `GET http://host/path`. */
  readonly passed: Array<string>
  readonly close: () => void
}

const refusal = (incoming: IncomingMessage, { login, status }: ForwardProxyOptions): number | undefined => {
  if (status !== undefined) return status
  const wanted = login && `Basic ${Buffer.from(login).toString("base64")}`
  return wanted !== undefined && incoming.headers["proxy-authorization"] !== wanted ? 407 : undefined
}

const passOn = (
  incoming: IncomingMessage,
  response: ServerResponse,
  { names }: ForwardProxyOptions
): void => {
  const url = URL.parse(incoming.url!)
  if (url === null) return void response.writeHead(400).end()
  const { host, pathname, search } = url
  const { "proxy-authorization": _, ...headers } = incoming.headers
  const [hostname, port] = (names[host] ?? "").split(":")
  const path = `${pathname}${search}`
  const onward = request({ host: hostname, port, path, method: incoming.method, headers }, (answer) => {
    response.writeHead(answer.statusCode!, answer.rawHeaders)
    answer.pipe(response)
  })
  onward.on("error", () => response.destroy())
  incoming.pipe(onward)
}

const tunnelTo = (place: string | undefined, socket: Duplex): void => {
  if (place === undefined) return void socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")
  const [host = "", port] = place.split(":")
  const onward = connect(Number(port), host, () => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
    socket.pipe(onward).pipe(socket)
  })
  onward.on("error", () => socket.destroy())
  socket.on("error", () => onward.destroy())
}

export const startForwardProxy = (options: ForwardProxyOptions): Promise<ForwardProxy> =>
  new Promise((resolve) => {
    const passed: Array<string> = []
    const open = new Set<Duplex>()
    const server = createServer((incoming, response) => {
      const status = refusal(incoming, options)
      if (status !== undefined) return void response.writeHead(status).end()
      passed.push(`${incoming.method} ${incoming.url}`)
      passOn(incoming, response, options)
    })
    server.on("connection", (socket) => open.add(socket.on("close", () => open.delete(socket))))
    server.on("connect", (incoming: IncomingMessage, socket: Duplex) => {
      const status = refusal(incoming, options)
      if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)
      passed.push(`CONNECT ${incoming.url}`)
      tunnelTo(options.names[incoming.url!], socket)
    })
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number }
      const close = () => {
        for (const socket of open) socket.destroy()
        server.close()
      }
      resolve({ port, passed, close })
    })
  })
