/** An HTTP proxy before an S3 server that breaks nothing and counts what passes. */
import { createServer, request } from "node:http"

export interface CountingProxy {
  readonly url: string
  /** Method and path of what passed, since it was last emptied. */
  readonly passed: Array<string>
  readonly close: () => void
}

/** `target` is a URL; requests are passed on as they were signed. */
export const startCountingProxy = (target: string): Promise<CountingProxy> =>
  new Promise((resolve) => {
    const { hostname: host, port } = new URL(target)
    const passed: Array<string> = []
    const server = createServer((incoming, response) => {
      const { headers, method = "", url = "" } = incoming
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
