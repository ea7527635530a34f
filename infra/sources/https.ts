/** Files by https, with a time-out on every wait, retries, and a bound on their size. */
import { Effect, Schedule } from "effect"
import { type HttpProxy, proxiesIn } from "../network/proxies.ts"
import { causeText, LocationFailed, locationFailed } from "./LocationFailed.ts"
import { type Answer, proxiedFetch } from "./proxiedFetch.ts"

export interface HttpsOptions {
  /** Longest wait for the server's answer and for each further piece of it. */
  readonly idleTimeoutMillis: number
  readonly retries: number
  readonly maxBytes: number
  /** Whose variables name proxies. */
  readonly environment: { readonly [name: string]: string | undefined }
  /** Called now and then while bytes arrive; `totalBytes` is undefined where the server does not say. */
  readonly onProgress: (receivedBytes: number, totalBytes: number | undefined) => void
}

const isLoopback = (url: URL): boolean => ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname)

const transient = (reason: string) => new LocationFailed({ reason, transient: true })

const waiting = <A>(options: HttpsOptions, run: (signal: AbortSignal) => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => transient(causeText(cause)) }).pipe(
    Effect.timeoutOrElse({
      duration: options.idleTimeoutMillis,
      orElse: () => Effect.fail(transient(`no answer for ${options.idleTimeoutMillis / 1000} s`))
    })
  )

const statusFailure = ({ response }: Answer) => {
  const reason = `the server answers ${response.status} ${response.statusText}`.trim()
  return new LocationFailed({ reason, transient: response.status >= 500 || response.status === 429 })
}

const joined = (chunks: ReadonlyArray<Uint8Array>, sizeBytes: number): Uint8Array => {
  const bytes = new Uint8Array(sizeBytes)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}

const readBody = Effect.fnUntraced(function* ({ response }: Answer, options: HttpsOptions) {
  const length = response.headers.get("content-length")
  const encoded = response.headers.has("content-encoding")
  const totalBytes = length === null || encoded ? undefined : Number(length)
  const reader = response.body!.getReader()
  const chunks: Array<Uint8Array> = []
  let received = 0
  for (;;) {
    const { value } = yield* waiting(options, () => reader.read())
    if (value === undefined) break
    chunks.push(value)
    received += value.length
    if (received > options.maxBytes)
      return yield* locationFailed(`it is larger than ${options.maxBytes} bytes`)
    options.onProgress(received, totalBytes)
  }
  if (totalBytes !== undefined && received !== totalBytes) {
    return yield* transient(`the connection ended after ${received} of ${totalBytes} bytes`)
  }
  return joined(chunks, received)
})

/** What failed on the way through a proxy names it. */
const through = (proxy: HttpProxy | undefined, { reason, transient }: LocationFailed): LocationFailed =>
  new LocationFailed({
    reason:
      proxy === undefined ? reason : `${reason}, through the proxy ${proxy.address} of ${proxy.variable}`,
    transient
  })

const once = (url: URL, proxy: HttpProxy | undefined, options: HttpsOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const controller = yield* Effect.acquireRelease(
        Effect.sync(() => new AbortController()),
        (one) => Effect.sync(() => one.abort())
      )
      const answer = yield* Effect.acquireRelease(
        waiting(options, () => proxiedFetch(url, proxy, controller.signal)),
        ({ close }) => Effect.sync(close),
        { interruptible: true }
      )
      if (!answer.response.ok || answer.response.body === null) return yield* statusFailure(answer)
      return yield* readBody(answer, options)
    })
  ).pipe(Effect.mapError((error) => through(proxy, error)))

/** `undefined`: asked without one. */
const proxyFor = ({ hostname, port, protocol }: URL, { environment }: HttpsOptions) =>
  Effect.try({
    try: () => proxiesIn(environment)?.({ protocol, hostname, port: port === "" ? undefined : Number(port) }),
    catch: (cause) => locationFailed(causeText(cause))
  })

export const readHttps = Effect.fn("readHttps")(function* (
  address: string,
  options: HttpsOptions
): Effect.fn.Return<Uint8Array, LocationFailed> {
  const url = URL.parse(address)
  if (url === null) return yield* locationFailed("it is not an address")
  if (url.protocol !== "https:" && !isLoopback(url)) return yield* locationFailed("only https is fetched")
  const proxy = yield* proxyFor(url, options)
  return yield* once(url, proxy, options).pipe(
    Effect.retry({
      schedule: Schedule.exponential("500 millis"),
      times: options.retries,
      while: (error: LocationFailed) => error.transient
    })
  )
})
