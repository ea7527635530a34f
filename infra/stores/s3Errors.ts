/**
 * What goes wrong between us and an S3 server, in words to act on. Of an error's own words only few are
 * passed on: a server may repeat what it was sent, and that is signed with a secret.
 */
import { type StoreError, StoreFull, StoreUnavailable, StoreUnusable } from "../../lib/storage/ObjectStore.ts"
import type { HttpProxy } from "../network/proxies.ts"
import { wrongSetUp } from "../network/setUpWrongly.ts"
import { badAnswer } from "./s3Line.ts"
import { proxyRefuses } from "./s3Tunnel.ts"

/** An error of the SDK as far as it is looked at here. */
export interface S3Failure {
  readonly name?: string
  /** Of Node's own errors: ECONNREFUSED and so on. */
  readonly code?: unknown
  readonly message?: string
  /** Of a proxy that makes no connection. */
  readonly statusCode?: number | undefined
  /** Of S3's answer: NoSuchKey and so on. A HEAD has none, nor does an answer of something else. */
  readonly Code?: unknown
  /** The region that the server expects. */
  readonly Region?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number | undefined }
  readonly $response?: { readonly headers?: { readonly [name: string]: string } }
}

/** What of the connection is named in messages. */
export interface S3Server {
  /** Of the store: `s3://bucket/prefix`, and the server where it is not Amazon's. */
  readonly location: string
  readonly bucket: string
  readonly server: string
  readonly custom: boolean
  /** What stands between. */
  readonly proxy?: Pick<HttpProxy, "address" | "variable"> | undefined
}

const statusOf = (failure: S3Failure): number | undefined => failure.$metadata?.httpStatusCode
const codeOf = (failure: S3Failure): string =>
  String(failure.Code ?? failure.code ?? failure.name ?? "unknown")

/** An object is not there. A GET must say so in S3's words: any web server answers 404. */
export const isAbsence = (failure: S3Failure, method: "GET" | "HEAD" | "PUT"): boolean =>
  codeOf(failure) === "NoSuchKey" || (method === "HEAD" && statusOf(failure) === 404)

/** A condition did not hold. */
export const isPrecondition = (failure: S3Failure): boolean => statusOf(failure) === 412

/** Another write of the same key was going on: nobody knows yet who wins. */
export const isConflict = (failure: S3Failure): boolean =>
  ["ConditionalRequestConflict", "OperationAborted"].includes(codeOf(failure))

/** The upload is over, by whatever hand: an answer that was lost may have ended it. */
export const isUploadGone = (failure: S3Failure): boolean => codeOf(failure) === "NoSuchUpload"

/** The server does not know this kind of request, or wants it in the form of the SDKs of old. */
export const isLacking = (failure: S3Failure): boolean =>
  ["NotImplemented", "MethodNotAllowed", "MissingContentMD5"].includes(codeOf(failure)) ||
  statusOf(failure) === 501

/** A range that begins behind the end: of an empty object, every one does. */
export const isRangeEmpty = (failure: S3Failure): boolean => statusOf(failure) === 416

/** The server took in other bytes than were sent, or not all of them. */
const arrivedDamaged = new Set([
  "BadDigest",
  "InvalidDigest",
  "IncompleteBody",
  "XAmzContentSHA256Mismatch",
  "XAmzContentChecksumMismatch"
])

/** What came was no answer, to us or to Node's parser. */
const isGarbled = (code: string): boolean => code === badAnswer || code.startsWith("HPE_")

/** The words of an answer, to the SDK's parser. */
const isUnreadable = ({ message }: S3Failure): boolean => message?.includes("XML parse error") === true

/** A proxy that has no way to the server just now, or does not say. */
const isCutOff = ({ code, statusCode = 500 }: S3Failure): boolean =>
  code === proxyRefuses && statusCode >= 500

/**
 * Worth another try besides what the SDK tries again: something was damaged, there or on its way back, or a
 * connection that was kept was just being given up (408).
 */
export const isPassing = (failure: S3Failure): boolean => {
  const status = statusOf(failure)
  const code = codeOf(failure)
  const isCutShort = status !== undefined && ((status >= 200 && status < 300) || status === 408)
  return (
    arrivedDamaged.has(code) || isGarbled(code) || isUnreadable(failure) || isCutShort || isCutOff(failure)
  )
}

/** A HEAD is told nothing but that something is wrong with it. */
const isMute = (failure: S3Failure): boolean => statusOf(failure) === 400 && failure.Code === undefined

/** The server takes the credentials for too old, or may do so. */
export const isExpired = (failure: S3Failure): boolean =>
  isMute(failure) ||
  ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"].includes(codeOf(failure))

const redirections = new Set([301, 302, 307])
const otherRegion = new Set(["AuthorizationHeaderMalformed", "IllegalLocationConstraintException"])

/** Where the bucket is, of an answer that sends whoever asks there. */
export const regionIn = (failure: S3Failure): string | undefined => {
  const isSentAway =
    redirections.has(statusOf(failure) ?? 0) || otherRegion.has(codeOf(failure)) || isMute(failure)
  const region = failure.Region ?? failure.$response?.headers?.["x-amz-bucket-region"]
  return isSentAway && typeof region === "string" && /^[a-z0-9-]+$/.test(region) ? region : undefined
}

const keyVariables = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"

type Words = (failure: S3Failure, server: S3Server) => string

const unknownKey: Words = (_, { server }) =>
  `${server} does not know the access key it was given; check ${keyVariables}`
const expired: Words = () => "the credentials have expired; get new ones (aws sso login, or a new token)"
const denied: Words = (_, { bucket }) =>
  "the credentials are not allowed to do this; distillery needs s3:GetObject, s3:PutObject and " +
  `s3:DeleteObject on the objects and s3:ListBucket on the bucket "${bucket}"`
const wrongRegion: Words = (failure, { bucket }) => {
  const where = regionIn(failure)
  return where === undefined
    ? `the bucket "${bucket}" is in another region; set AWS_REGION to the bucket's own`
    : `the bucket "${bucket}" is in the region ${where}; set AWS_REGION=${where}`
}

/** Faults of settings: they do not go away by waiting. */
const unusable: { readonly [code: string]: Words } = {
  CredentialsProviderError: ({ message = "" }, server) =>
    message.includes("SSO session")
      ? expired({}, server)
      : `there are no credentials for it; set ${keyVariables}`,
  TokenProviderError: expired,
  InvalidAccessKeyId: unknownKey,
  XAdminUserNotFound: unknownKey,
  InvalidToken: () => "the session token is not valid; check AWS_SESSION_TOKEN",
  SignatureDoesNotMatch: () => `the secret key does not fit the access key; check ${keyVariables}`,
  ExpiredToken: expired,
  ExpiredTokenException: expired,
  TokenRefreshRequired: expired,
  RequestTimeTooSkewed: () => "this machine's clock differs from the server's by too much; set it",
  AccessDenied: denied,
  AllAccessDisabled: denied,
  NoSuchBucket: (_, { bucket }) =>
    `there is no bucket "${bucket}"; make it (aws s3 mb s3://${bucket}) or correct DISTILLERY_STORE`,
  AuthorizationHeaderMalformed: wrongRegion,
  PermanentRedirect: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  NotImplemented: () =>
    "the server lacks something that is needed, probably conditional writes, or keys for DISTILLERY_S3_SSE",
  ERR_INVALID_CHAR: () =>
    "one of the credentials holds a character that it may not, such as a line break at its end; " +
    `check ${keyVariables}, and AWS_SESSION_TOKEN`,
  [wrongSetUp]: ({ message }) => message ?? "",
  ERR_TLS_CERT_ALTNAME_INVALID: (_, { server }) =>
    `its certificate is for other names than ${server}; write the one it has into AWS_ENDPOINT_URL`,
  CERT_HAS_EXPIRED: () => "its certificate has expired; the server needs a new one",
  ERR_INVALID_URL: () =>
    "the server's address is no URL; let AWS_ENDPOINT_URL be http://host:port or https://host:port",
  EPROTO: (_, { server }) => `${server} does not speak TLS as expected; is it http:// in AWS_ENDPOINT_URL?`
}

const full = new Set(["QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"])

interface Diagnosis {
  readonly kind: "full" | "unusable" | "unavailable"
  readonly reason: string
}

/** Nobody took the connection, or there is no way to who should. */
const unconnected = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])

/** What comes of a proxy, or may. */
const byProxy = (failure: S3Failure, { proxy, server }: S3Server): Diagnosis | undefined => {
  if (proxy === undefined) return undefined
  const { address, variable } = proxy
  const code = codeOf(failure)
  const status = code === proxyRefuses ? failure.statusCode : statusOf(failure)
  if (status === 407) {
    const login = `let ${variable} be http://user:password@host:port`
    return { kind: "unusable", reason: `the proxy ${address} wants a user and password; ${login}` }
  }
  const question = `is ${variable} right, or ${server} to be in NO_PROXY?`
  if (unconnected.has(code)) {
    return { kind: "unavailable", reason: `the proxy ${address} does not answer (${code}); ${question}` }
  }
  if (code !== proxyRefuses) return undefined
  const answer = status === undefined ? "no answer" : `HTTP ${status}`
  const reason = `the proxy ${address} does not connect to ${server} (${answer}); ${question}`
  return { kind: isCutOff(failure) ? "unavailable" : "unusable", reason }
}

/** Node's codes for certificates that it does not trust. */
const certificatePattern = /^(ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

const networkPattern = /^(E[A-Z]+|TimeoutError|RequestTimeout|AbortError)$/

const unreachable = (code: string, { custom, proxy, server }: S3Server): string => {
  const through = proxy === undefined ? "" : `, through the proxy ${proxy.address}`
  const question = custom
    ? "does the server run, and is AWS_ENDPOINT_URL right?"
    : "is AWS_ENDPOINT_URL to be set?"
  return `${server} does not answer (${code}${through}); ${question}`
}

/** The first line, not too much of it. */
const briefly = (text: string): string => text.split("\n", 1)[0]!.slice(0, 200)

const byStatus = (failure: S3Failure, server: S3Server, code: string): Diagnosis => {
  const status = statusOf(failure)
  if (status === undefined) return { kind: "unavailable", reason: briefly(failure.message ?? code) }
  if (redirections.has(status)) return { kind: "unusable", reason: wrongRegion(failure, server) }
  if (status === 401 || status === 403) {
    const orProxy = server.proxy === undefined ? "" : `; or the proxy of ${server.proxy.variable} denies it`
    return { kind: "unusable", reason: `${denied(failure, server)} (HTTP ${status})${orProxy}` }
  }
  if (status >= 500 || status === 429 || status === 408) {
    return { kind: "unavailable", reason: `${server.server} answers HTTP ${status} (${code})` }
  }
  if (failure.Code === undefined) {
    const reason = `what answers at ${server.server} (HTTP ${status}) is no S3 server; check AWS_ENDPOINT_URL`
    return { kind: "unusable", reason }
  }
  return { kind: "unavailable", reason: `${code} (HTTP ${status}): ${briefly(failure.message ?? "")}` }
}

const diagnosisOf = (failure: S3Failure, server: S3Server): Diagnosis => {
  const code = codeOf(failure)
  const ofProxy = byProxy(failure, server)
  if (ofProxy !== undefined) return ofProxy
  const words = unusable[code] ?? (failure.name === undefined ? undefined : unusable[failure.name])
  if (words !== undefined) return { kind: "unusable", reason: words(failure, server) }
  if (full.has(code) || statusOf(failure) === 507) return { kind: "full", reason: code }
  if (failure.message?.startsWith("Region ") === true) {
    const reason = "no usable region is set; set AWS_REGION (where the server has none: us-east-1)"
    return { kind: "unusable", reason }
  }
  if (certificatePattern.test(code)) {
    const remedy = "name its authority's file in AWS_CA_BUNDLE or NODE_EXTRA_CA_CERTS"
    return { kind: "unusable", reason: `its certificate is not trusted (${code}); ${remedy}` }
  }
  if (isGarbled(code)) {
    const reason = `what ${server.server} answers is not HTTP (${code}); check AWS_ENDPOINT_URL`
    return { kind: "unavailable", reason }
  }
  if (networkPattern.test(code)) return { kind: "unavailable", reason: unreachable(code, server) }
  return byStatus(failure, server, code)
}

/** Why a store is waited for. */
export const waitReason = (failure: S3Failure, server: Omit<S3Server, "location" | "bucket">): string =>
  diagnosisOf(failure, { ...server, location: server.server, bucket: "" }).reason

export interface Attempted {
  readonly operation: string
  readonly key: string
  readonly sizeBytes: number
}

const sentence = (text: string): string => (/[.?!]$/.test(text) ? text : `${text}.`)

/** An error of the SDK as one of the store's. Errors of the store pass through. */
export const translated =
  (server: S3Server, { key, operation, sizeBytes }: Attempted) =>
  (error: unknown): StoreError => {
    if (isStoreError(error)) return error
    const { kind, reason } = diagnosisOf(error as S3Failure, server)
    const { location } = server
    if (kind === "full") return new StoreFull({ key, sizeBytes, location })
    if (kind === "unusable") return new StoreUnusable({ location, reason: sentence(reason) })
    const again = "Finished jobs are kept: run again."
    return new StoreUnavailable({ operation, key, reason: `${sentence(reason)} ${again}` })
  }

/** The same at the start, where whatever is wrong makes the store unusable. */
export const openingFailure =
  (server: S3Server) =>
  (error: unknown): StoreError => {
    if (isStoreError(error)) return error
    const { location } = server
    return new StoreUnusable({ location, reason: sentence(diagnosisOf(error as S3Failure, server).reason) })
  }

const storeTags = new Set([
  "ObjectNotFound",
  "ObjectTooLarge",
  "PreconditionFailed",
  "StoreFull",
  "StoreUnavailable",
  "StoreUnusable"
])

const isStoreError = (error: unknown): error is StoreError =>
  storeTags.has(String((error as { readonly _tag?: unknown } | null)?._tag))
