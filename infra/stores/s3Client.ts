/**
 * A client for S3 and for servers that speak like it. Where it connects to and as whom is found by the SDK's
 * own chain: `AWS_` variables, profiles, web identity, instance roles. Nothing of it is configured here; the
 * network between is set up as other AWS tools do it (`s3Network.ts`).
 */
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3"
import { Direct } from "./s3Direct.ts"
import { isPassing, type S3Failure, type S3Server, waitReason } from "./s3Errors.ts"
import { NetworkHandler } from "./s3Handler.ts"
import { isByPath, type Network, networkFor } from "./s3Network.ts"
import { giveSecondTries } from "./s3SecondTries.ts"
import { type Bundle, trusting } from "./s3Trust.ts"
import { type Patience, StoreAbsence } from "./storeAbsence.ts"
import type { S3Addressing } from "./storePlace.ts"

/** How often a request is tried at least. A start should fail soon, a command outlive a server's restart. */
const numAttempts = { probing: 4, working: 12 } as const

/** Doubling from 0.1 s to 10 s, at least half of it: twelve attempts span 26 to 53 s. */
export const backoffMillis = (numRetries: number): number =>
  Math.min(100 * 2 ** numRetries, 10_000) * (0.5 + Math.random() / 2)

type RetryStrategy = Extract<NonNullable<S3ClientConfig["retryStrategy"]>, { recordSuccess: unknown }>
type RetryToken = Awaited<ReturnType<RetryStrategy["refreshRetryTokenForRetry"]>>

interface Token extends RetryToken {
  /** `undefined` before the first failure. */
  readonly failedFirstMillis: number | undefined
}

const tokenAfter = (numRetries: number, failedFirstMillis?: number): Token => ({
  failedFirstMillis,
  getRetryCount: () => numRetries,
  getRetryDelay: () => (numRetries === 0 ? 0 : backoffMillis(numRetries - 1))
})

/** How often requests are tried, and how long: the longer of the two. */
interface Persistence {
  numMin: number
  /** From `bePatient` on, where somebody wants it. */
  absence: StoreAbsence | undefined
}

/**
 * The SDK's mode `standard` without its budget: that allows 35 retries to all requests of a client together,
 * which eight concurrent ones use up within three seconds of an outage. Once the store was away for as long
 * as is borne, a request is tried as often as at the start: others have waited for it.
 */
const isTriedAgain = ({ absence, numMin }: Persistence, numRetries: number, firstMillis: number): boolean => {
  if (numRetries < numAttempts.probing) return true
  if (absence === undefined) return numRetries < numMin
  return !absence.isOver && (numRetries < numMin || absence.isBorne(firstMillis))
}

export const retryStrategy = (persistence: Persistence): RetryStrategy => ({
  acquireInitialRetryToken: async () => tokenAfter(0),
  refreshRetryTokenForRetry: async (token, { error, errorType }) => {
    const { absence } = persistence
    const failure = error as S3Failure
    if (errorType !== "THROTTLING" && errorType !== "TRANSIENT" && !isPassing(failure)) {
      if (failure.$metadata?.httpStatusCode !== undefined) absence?.answered()
      throw new Error("this is not tried again")
    }
    absence?.failed(failure)
    const numRetries = token.getRetryCount() + 1
    const firstMillis = (token as Token).failedFirstMillis ?? performance.now()
    if (!isTriedAgain(persistence, numRetries, firstMillis)) throw new Error("it was tried for long enough")
    return tokenAfter(numRetries, firstMillis)
  },
  recordSuccess: () => persistence.absence?.answered()
})

/**
 * A stall is noticed by the socket's time-out. The whole request includes sending a part of 8 MiB: over a
 * slow line that takes minutes.
 */
const timeouts = (stallMillis: number) => ({
  connectionTimeout: 5_000,
  socketTimeout: stallMillis,
  requestTimeout: 300_000,
  throwOnRequestTimeout: true
})

/** Whoever waits for a free socket has its time for connecting running; so there are enough. */
const agent = { maxSockets: 256 }

const numHereMax = 2

/** Servers other than Amazon's often do not know the SDK's default checksums. */
const forCustomEndpoint = (endpoint: string): S3ClientConfig => ({
  endpoint,
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED"
})

export interface S3Connection {
  readonly client: S3Client
  readonly direct: Direct
  /** Whom it talks to, for messages: an origin, or Amazon S3. */
  readonly server: string
  readonly custom: boolean
  /** What stands between. */
  readonly proxy: S3Server["proxy"]
  /** Whose authorities are trusted, too. */
  readonly bundle: Bundle | undefined
  /** Whether the bucket is named in the path, or before the host's name. */
  readonly isByPath: boolean
  /**
   * From now on a request is tried often enough to outlive a restart of the server, or for as long as
   * `patience` says.
   */
  readonly bePatient: (patience?: Patience) => void
}

/** Without user, password and path. Throws for `localhost:9000` too, which Node takes for a URL. */
const originOf = (endpoint: string): string => {
  if (/^https?:\/\//i.test(endpoint)) return new URL(endpoint).origin
  throw Object.assign(new Error("no URL"), { code: "ERR_INVALID_URL" })
}

/** What requests are sent with; whoever gives out credentials is asked in the same way. */
const handling = (
  { certificates, proxyFor }: Network,
  stallMillis: number,
  { credentialDefaultProvider }: S3Client["config"]
): S3ClientConfig => {
  const waits = timeouts(stallMillis)
  if (certificates === undefined && proxyFor === undefined) {
    return { requestHandler: { ...waits, httpAgent: agent, httpsAgent: agent } }
  }
  const secureContext = trusting(certificates)
  const requestHandler = new NetworkHandler({ ...waits, agent, proxyFor, secureContext })
  const clientConfig = { requestHandler }
  return {
    requestHandler,
    credentialDefaultProvider: (input) => credentialDefaultProvider({ ...input, clientConfig })
  }
}

/** The proxy to a server of Amazon's depends on its name, of which the bucket is told with a request only. */
const proxyTo = async ({ config }: S3Client, endpoint: string | undefined, { proxyFor }: Network) => {
  if (proxyFor === undefined) return undefined
  if (endpoint !== undefined) {
    const { hostname, port, protocol } = new URL(endpoint)
    return proxyFor({ protocol, hostname, port: port === "" ? undefined : Number(port) })
  }
  const region = await config.region().catch(() => "us-east-1")
  return proxyFor({ protocol: "https:", hostname: `s3.${region}.amazonaws.com` })
}

export interface ConnectOptions {
  readonly stallMillis?: number
  readonly addressing?: S3Addressing | undefined
}

/** Talks to nobody yet. Rejects where a profile or an address in the environment makes no sense. */
export const connect = async ({
  addressing,
  stallMillis = 30_000
}: ConnectOptions = {}): Promise<S3Connection> => {
  // The SDK reads the address itself, but late: its other settings depend on it.
  const unset = new S3Client({})
  const endpoint = await unset.config.serviceConfiguredEndpoint?.()
  const server = endpoint === undefined ? "Amazon S3" : originOf(endpoint)
  const network = await networkFor(endpoint === undefined || server.startsWith("https:"))
  const { certificates, proxyFor } = network
  const proxy = await proxyTo(unset, endpoint, network)
  const custom = endpoint !== undefined
  const byPath = await isByPath(addressing, custom)
  const persistence: Persistence = { numMin: numAttempts.probing, absence: undefined }
  const client = new S3Client({
    ...(endpoint !== undefined && forCustomEndpoint(endpoint)),
    forcePathStyle: byPath,
    ...handling(network, stallMillis, unset.config),
    maxAttempts: numAttempts.working,
    retryStrategy: retryStrategy(persistence)
  })
  const lines = { stallMillis, certificates }
  const onAnswer = () => persistence.absence?.answered()
  const direct = new Direct({ client, lines, proxyFor, numHereMax, onAnswer })
  giveSecondTries({ client, forgetWays: () => direct.forgetWays() })
  return {
    client,
    direct,
    server,
    custom,
    proxy,
    bundle: network.bundle,
    isByPath: byPath,
    bePatient: (patience) => {
      persistence.numMin = numAttempts.working
      if (patience === undefined) return
      const reasonOf = (error: unknown) => waitReason(error as S3Failure, { custom, server, proxy })
      persistence.absence = new StoreAbsence(patience, reasonOf)
    }
  }
}
