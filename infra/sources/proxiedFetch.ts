/** `fetch` that asks a proxy where the environment names one. Node's own takes it from no request. */
import type { HttpProxy } from "../network/proxies.ts"

export interface Answer {
  readonly response: Pick<Response, "body" | "headers" | "ok" | "status" | "statusText">
  /** Ends what was kept open for it. */
  readonly close: () => void
}

const tokenOf = ({ authorization }: HttpProxy) =>
  authorization === undefined ? {} : { token: authorization }

/** Rejects as `fetch` does. */
export const proxiedFetch = async (
  url: URL,
  proxy: HttpProxy | undefined,
  signal: AbortSignal
): Promise<Answer> => {
  if (proxy === undefined) return { response: await fetch(url, { signal }), close: () => {} }
  const { fetch: fetchBy, ProxyAgent } = await import("undici")
  const dispatcher = new ProxyAgent({ uri: proxy.address, ...tokenOf(proxy) })
  const close = () => void dispatcher.destroy().catch(() => {})
  try {
    return { response: await fetchBy(url, { signal, dispatcher }), close }
  } catch (error) {
    close()
    throw error
  }
}
