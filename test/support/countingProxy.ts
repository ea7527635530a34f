/** An HTTP proxy before an S3 server that breaks nothing and counts what passes. */
import { createServer, type IncomingMessage, request } from "node:http"

/** What it says itself in place of the server, in S3's words. */
export interface Refusal {
  readonly status: number
  readonly code: string
  readonly headers?: { readonly [name: string]: string }
}

export interface CountingProxy {
  readonly url: string
  /** Method and path of what passed, since it was last emptied. */
  readonly passed: Array<string>
  readonly close: () => void
}

/** `target` is a URL; requests are passed on as they were signed, but those that are refused. */
export const startCountingProxy = (
  target: string,
  refusalOf: (incoming: IncomingMessage) => Refusal | undefined = () => undefined
): Promise<CountingProxy> =>
  new Promise((resolve) => {
    const { hostname: host, port } = new URL(target)
    const passed: Array<string> = []
    const server = createServer((incoming, response) => {
      const { headers, method = "", url = "" } = incoming
      const refusal = refusalOf(incoming)
      if (refusal !== undefined) {
        const xml = `<?xml version="1.0"?><Error><Code>${refusal.code}</Code></Error>`
        incoming.resume().on("end", () => {
          response.writeHead(refusal.status, { ...refusal.headers, "content-length": xml.length })
          response.end(method === "HEAD" ? undefined : xml)
        })
        return
      }
      passed.push(`${method} ${url}`)
      const onward = request({ host, port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.rawHeaders)
        answer.pipe(response)
      })
      onward.on("error", () => response.destroy())
      incoming.pipe(onward)
    })
    server.listen(0, "127.0.0.1", () => {
      const listening = server.address() as { readonly port: number }
      const close = () => {
        server.closeAllConnections()
        server.close()
      }
      resolve({ url: `http://127.0.0.1:${listening.port}`, passed, close })
    })
  })
