/**
 * From a description to a digest. A pre-image is its record type, a newline, and canonical JSON: keys sorted,
 * no spaces, numbers as ECMAScript prints them. What has no stable bytes is refused, not guessed.
 */
import { Schema } from "effect"
import type { Digest, Hasher } from "../storage/Digest.ts"

/** A value that JSON would drop or change silently. */
export class NotCanonical extends Schema.TaggedError<NotCanonical>()("NotCanonical", {
  path: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `The value at ${this.path} is ${this.found}, which has no stable JSON form.`
  }
}

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

const described = (value: unknown): string => {
  if (typeof value === "object" && value !== null) {
    return `an instance of ${(value as { constructor?: { name?: string } }).constructor?.name ?? "a class"}`
  }
  return typeof value === "function" ? "a function" : String(value)
}

const write = (value: unknown, path: string): string => {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value)
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value)
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item, index) => write(item, `${path}[${index}]`)).join(",")}]`
  }
  if (typeof value === "object" && isPlain(value)) {
    const record = value as { readonly [key: string]: unknown }
    const fields = Object.keys(record)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${write(record[key], `${path}.${key}`)}`)
    return `{${fields.join(",")}}`
  }
  throw new NotCanonical({ path, found: described(value) })
}

/**
 * Throws `NotCanonical`, with the path, for undefined, NaN, infinities, functions, bigints and class
 * instances.
 */
export const canonicalJson = (value: unknown): string => write(value, "$")

/** What is hashed for a record of this type. */
export const preImage = (recordType: string, value: unknown): string =>
  `${recordType}\n${canonicalJson(value)}`

/** Throws `NotCanonical`. */
export const fingerprint = (hasher: Hasher["Service"], recordType: string, value: unknown): Digest =>
  hasher.digest(new TextEncoder().encode(preImage(recordType, value)))

/** Content digests by input; a record of them where the input takes many. */
export interface InputDigests {
  readonly [input: string]: Digest | { readonly [name: string]: Digest }
}

export interface JobIdentity {
  readonly stage: string
  /** Digest of the code closure. */
  readonly code: Digest
  readonly params: Schema.JsonObject
  readonly inputs: InputDigests
  /** Content digests of what is read from outside the store, by name. */
  readonly externals: { readonly [name: string]: Digest }
}

/** Most jobs read nothing from outside: their keys do not mention it. */
const mentioned = (externals: JobIdentity["externals"]) =>
  Object.keys(externals).length > 0 ? { externals } : {}

/**
 * Two jobs with equal keys are the same job. The engine's own meaning stands under the version in the prefix.
 */
export const jobKey = (hasher: Hasher["Service"], identity: JobIdentity): Digest =>
  fingerprint(hasher, "job/1", {
    stage: identity.stage,
    code: identity.code,
    params: identity.params,
    inputs: identity.inputs,
    ...mentioned(identity.externals)
  })

/** What jobs share whatever their params, their stage, code and inputs: where the keys of a fold begin. */
export const foldBase = (hasher: Hasher["Service"], identity: Omit<JobIdentity, "params">): Digest =>
  fingerprint(hasher, "fold-base/1", {
    stage: identity.stage,
    code: identity.code,
    inputs: identity.inputs,
    ...mentioned(identity.externals)
  })

/**
 * Content digest of an artifact: of its type's name and its encoded value, which holds its blobs' digests.
 */
export const artifactDigest = (hasher: Hasher["Service"], type: string, value: Schema.Json): Digest =>
  fingerprint(hasher, "artifact/1", { type, value })
