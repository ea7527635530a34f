/** Connections through a proxy to servers that speak TLS, by CONNECT. */
import { request as requestPlain } from "node:http"
import { Agent, type AgentOptions, request as requestSecure } from "node:https"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { SecureContext } from "node:tls"
import type { HttpProxy, Target } from "../network/proxies.ts"

/** The code of a proxy that lets nobody through to the server. */
export const proxyRefuses = "ERR_PROXY_TUNNEL"

const connectMillis = 5_000

const failureWith = (code: string, message: string, statusCode?: number) =>
  Object.assign(new Error(message), { code, statusCode })

/** `host:port`, as it is asked for. */
const authority = ({ hostname, port, protocol }: Target): string =>
  `${hostname}:${port ?? (protocol === "https:" ? 443 : 80)}`

/** What a proxy is told besides. */
export const credentials = ({ authorization }: HttpProxy): { readonly [name: string]: string } =>
  authorization === undefined ? {} : { "proxy-authorization": authorization }

export interface TunnelOptions {
  readonly secureContext?: SecureContext | undefined
  readonly signal?: AbortSignal | undefined
}

/** A connection to `target` on which nothing was said yet. */
export const openTunnel = (
  proxy: HttpProxy,
  target: Target,
  { secureContext, signal }: TunnelOptions
): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const path = authority(target)
    const asked = (proxy.protocol === "https:" ? requestSecure : requestPlain)({
      method: "CONNECT",
      host: proxy.hostname,
      port: proxy.port,
      path,
      headers: { host: path, ...credentials(proxy) },
      agent: false,
      timeout: connectMillis,
      signal,
      ...(secureContext !== undefined && { secureContext })
    })
    asked.on("connect", ({ statusCode }, socket: Duplex) => {
      if (statusCode === 200) return resolve((socket as Socket).setTimeout(0))
      socket.destroy()
      reject(failureWith(proxyRefuses, "the proxy makes no connection", statusCode))
    })
    // What is no proxy takes CONNECT for a request like others.
    asked.on("response", ({ statusCode }) => {
      asked.destroy()
      reject(failureWith(proxyRefuses, "the proxy makes no connection", statusCode))
    })
    asked.on("timeout", () => asked.destroy(failureWith("ETIMEDOUT", "the proxy does not answer")))
    asked.on("error", reject)
    asked.end()
  })

type Made = (error: Error | null, socket?: Duplex) => void

/** For servers that speak TLS, all through one proxy. */
export class TunnelAgent extends Agent {
  readonly #proxy: HttpProxy

  constructor(proxy: HttpProxy, options: AgentOptions) {
    super(options)
    this.#proxy = proxy
  }

  override createConnection(options: AgentOptions & { host?: string; port?: number }, made: Made) {
    const { host = "", port, secureContext } = options
    const target = { protocol: "https:", hostname: host.includes(":") ? `[${host}]` : host, port }
    void openTunnel(this.#proxy, target, { secureContext }).then(
      (socket) => made(null, super.createConnection({ ...options, socket } as AgentOptions) as Duplex),
      (error: Error) => made(error)
    )
    return undefined
  }
}
