/** The SDK's client over HTTP, where there are proxies, or certificates to trust besides. */
import { Agent } from "node:http"
import { Agent as SecureAgent } from "node:https"
import type { SecureContext } from "node:tls"
import { HttpRequest } from "@smithy/core/protocols"
import { NodeHttpHandler, type NodeHttpHandlerOptions } from "@smithy/node-http-handler"
import type { HttpProxy, ProxyFor } from "../network/proxies.ts"
import { credentials, TunnelAgent } from "./s3Tunnel.ts"

type Request = Parameters<NodeHttpHandler["handle"]>[0]
type Options = Parameters<NodeHttpHandler["handle"]>[1]

export interface NetworkOptions extends NodeHttpHandlerOptions {
  readonly proxyFor: ProxyFor | undefined
  readonly secureContext: SecureContext | undefined
  /** Of connections. */
  readonly agent: { readonly maxSockets: number }
}

/** As it is sent to a proxy that is no tunnel. */
const throughProxy = (request: Request, proxy: HttpProxy): Request =>
  // Not by the constructor, which puts a slash before the path.
  Object.assign(HttpRequest.clone(request), {
    protocol: proxy.protocol,
    hostname: proxy.hostname,
    port: proxy.port,
    path: `${request.protocol}//${request.headers.host}${request.path}`,
    headers: { ...request.headers, ...credentials(proxy) }
  })

export class NetworkHandler extends NodeHttpHandler {
  readonly #options: NetworkOptions
  readonly #tunnels = new Map<string, NodeHttpHandler>()

  constructor(options: NetworkOptions) {
    const secure = { keepAlive: true, ...options.agent, secureContext: options.secureContext }
    // Agents of its own the handler puts aside for bodies of more than 2 MiB, and what they know with them.
    super({
      ...options,
      httpAgent: new Agent({ keepAlive: true, ...options.agent }),
      httpsAgent: new SecureAgent(secure)
    })
    this.#options = options
  }

  override handle(request: Request, options?: Options): ReturnType<NodeHttpHandler["handle"]> {
    const proxy = this.#options.proxyFor?.(request)
    if (proxy === undefined) return super.handle(request, options)
    if (request.protocol === "https:") return this.#tunnel(proxy).handle(request, options)
    return super.handle(throughProxy(request, proxy), options)
  }

  override destroy(): void {
    super.destroy()
    for (const tunnel of this.#tunnels.values()) tunnel.destroy()
  }

  #tunnel(proxy: HttpProxy): NodeHttpHandler {
    const { agent, secureContext } = this.#options
    const known = this.#tunnels.get(proxy.address)
    if (known !== undefined) return known
    const httpsAgent = new TunnelAgent(proxy, { keepAlive: true, ...agent, secureContext })
    const made = new NodeHttpHandler({ ...this.#options, httpsAgent })
    this.#tunnels.set(proxy.address, made)
    return made
  }
}
