/**
 * Signs requests as the SDK does (AWS Signature Version 4), in less time: the key of the day is kept. To whom
 * and how is taken from a request that the SDK signed.
 */
import { hash } from "node:crypto"
import type { Origin } from "./s3Line.ts"
import { credentials as proxyCredentials } from "./s3Tunnel.ts"

/** A signed request, as the SDK hands it to its client. */
export interface SignedRequest extends Origin {
  readonly path: string
  readonly headers: { readonly [name: string]: string }
}

/** How the objects of a bucket are asked for. */
export interface Way {
  readonly origin: Origin
  readonly host: string
  readonly userAgent: string | undefined
  /** Of paths: what stands before the object's key. */
  readonly before: string
  readonly region: string
}

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

export interface PlainRequest {
  readonly method: "GET" | "HEAD" | "PUT"
  readonly objectKey: string
  /** Sorted by name. */
  readonly query?: ReadonlyArray<readonly [name: string, value: string]>
  /** By names in small letters. All are signed. */
  readonly headers: { readonly [name: string]: string }
  readonly body?: Uint8Array
  /** SHA-256 of the body in hexadecimal digits. */
  readonly bodySha256?: string
}

const emptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const escaped = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)

const pathOf = (objectKey: string): string => objectKey.split("/").map(escaped).join("/")

const scopePattern = /^AWS4-HMAC-SHA256 Credential=.*\/\d{8}\/([^/,]+)\/s3\/aws4_request,/

/** `undefined` where the SDK signs in another way (access points of many regions, directory buckets). */
export const wayFrom = (request: SignedRequest, objectKey: string): Way | undefined => {
  const { headers, hostname, path, port, protocol } = request
  const region = scopePattern.exec(headers.authorization ?? "")?.[1]
  const end = `/${pathOf(objectKey)}`
  const { host, "user-agent": userAgent } = headers
  if (region === undefined || host === undefined || !path.endsWith(end)) return undefined
  if (headers["x-amz-s3session-token"] !== undefined) return undefined
  return { origin: { protocol, hostname, port }, host, userAgent, before: path.slice(0, -end.length), region }
}

/** The two blocks that a key is in HMAC (RFC 2104). */
interface Pads {
  readonly inner: Buffer
  readonly outer: Buffer
}

const blockBytes = 64

const padsOf = (key: Uint8Array): Pads => {
  const block = Buffer.alloc(blockBytes)
  block.set(key.length > blockBytes ? hash("sha256", key, "buffer") : key)
  return {
    inner: block.map((byte) => byte ^ 0x36) as Buffer,
    outer: block.map((byte) => byte ^ 0x5c) as Buffer
  }
}

/** In a third of the time of Node's own, which makes objects for the key. */
const hmac = ({ inner, outer }: Pads, text: string): Buffer => {
  const within = hash("sha256", Buffer.concat([inner, Buffer.from(text)]), "buffer")
  return hash("sha256", Buffer.concat([outer, within]), "buffer")
}

/** Kept for as long as neither the day nor who signs is another. */
let kept: { readonly of: string; readonly key: Pads } = { of: "", key: padsOf(Buffer.alloc(0)) }

const signingKey = (secret: string, day: string, region: string): Pads => {
  const of = `${secret} ${day} ${region}`
  if (kept.of !== of) {
    const first = padsOf(Buffer.from(`AWS4${secret}`))
    const key = [day, region, "s3", "aws4_request"].reduce((pads, text) => padsOf(hmac(pads, text)), first)
    kept = { of, key }
  }
  return kept.key
}

/** What stands before the path, and a line of the head, where a proxy is asked that is no tunnel. */
const forProxy = ({ host, origin: { protocol, proxy } }: Way) => {
  if (proxy === undefined || protocol === "https:") return { before: "", lines: "" }
  const lines = Object.entries(proxyCredentials(proxy)).map(([name, value]) => `${name}:${value}\r\n`)
  return { before: `${protocol}//${host}`, lines: lines.join("") }
}

/** The request's head as it is sent. */
export const signedHead = (way: Way, request: PlainRequest, credentials: Credentials, date: Date): string => {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const { body, bodySha256 = emptySha256, method, objectKey, query = [] } = request
  const time = date.toISOString().replace(/[-:]|\.\d{3}/g, "")
  const day = time.slice(0, 8)
  const headers: { [name: string]: string } = {
    ...request.headers,
    host: way.host,
    ...(body !== undefined && { "content-length": String(body.length) }),
    "x-amz-content-sha256": bodySha256,
    "x-amz-date": time,
    ...(sessionToken && { "x-amz-security-token": sessionToken })
  }
  const path = `${way.before}/${pathOf(objectKey)}`
  const queryText = query.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join("&")
  const names = Object.keys(headers).sort()
  const lines = names.map((name) => `${name}:${headers[name]}`)
  const canonical = [method, path, queryText, ...lines, "", names.join(";"), bodySha256].join("\n")
  const scope = `${day}/${way.region}/s3/aws4_request`
  const text = ["AWS4-HMAC-SHA256", time, scope, hash("sha256", canonical)].join("\n")
  const signature = hmac(signingKey(secretAccessKey, day, way.region), text).toString("hex")
  const authorization =
    `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, ` +
    `SignedHeaders=${names.join(";")}, Signature=${signature}`
  const agent = way.userAgent === undefined ? "" : `user-agent:${way.userAgent}\r\n`
  const proxy = forProxy(way)
  const target = `${proxy.before}${path}${queryText === "" ? "" : `?${queryText}`}`
  return (
    `${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n` +
    `${proxy.lines}${agent}authorization:${authorization}\r\n\r\n`
  )
}
