/** Files by https, with a time-out on every wait, retries, and a bound on their size. */
import { Effect, Schedule } from "effect"
import { causeText, LocationFailed, locationFailed } from "./LocationFailed.ts"

export interface HttpsOptions {
  /** Longest wait for the server's answer and for each further piece of it. */
  readonly idleTimeoutMillis: number
  readonly retries: number
  readonly maxBytes: number
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

const statusFailure = (response: Response) => {
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

const readBody = Effect.fnUntraced(function* (response: Response, options: HttpsOptions) {
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

const once = (url: URL, options: HttpsOptions) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new AbortController()),
    (controller) =>
      Effect.gen(function* () {
        const response = yield* waiting(options, () => fetch(url, { signal: controller.signal }))
        if (!response.ok || response.body === null) return yield* statusFailure(response)
        return yield* readBody(response, options)
      }),
    (controller) => Effect.sync(() => controller.abort())
  )

export const readHttps = Effect.fn("readHttps")(function* (
  address: string,
  options: HttpsOptions
): Effect.fn.Return<Uint8Array, LocationFailed> {
  const url = URL.parse(address)
  if (url === null) return yield* locationFailed("it is not an address")
  if (url.protocol !== "https:" && !isLoopback(url)) return yield* locationFailed("only https is fetched")
  return yield* once(url, options).pipe(
    Effect.retry({
      schedule: Schedule.exponential("500 millis"),
      times: options.retries,
      while: (error: LocationFailed) => error.transient
    })
  )
})
