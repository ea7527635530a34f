/** Where artifacts lie: a folder, or a prefix of a bucket. What `DISTILLERY_STORE` may be. */
import { resolve } from "node:path"
import { isObjectKey } from "../../lib/storage/objectKeys.ts"

export interface FolderPlace {
  readonly kind: "folder"
  readonly folder: string
}

/** What servers call them: keys of the server's own, or of its key service, once or twice over. */
export const encryptionKinds = ["AES256", "aws:kms", "aws:kms:dsse"] as const

export interface S3Encryption {
  readonly kind: (typeof encryptionKinds)[number]
  /** The key service's default key where absent. */
  readonly kmsKeyId: string | undefined
}

/** How a bucket is named to the server: as the AWS tools do, in the path, or before the host's name. */
export const addressings = ["auto", "path", "virtual"] as const

export type S3Addressing = (typeof addressings)[number]

export interface S3Place {
  readonly kind: "s3"
  readonly bucket: string
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string
  /** As the bucket says where absent. */
  readonly encryption?: S3Encryption | undefined
  readonly addressing?: S3Addressing | undefined
}

export type StorePlace = FolderPlace | S3Place

/** Two letters at least: `C:` is no kind of address. */
const addressPattern = /^([a-z][a-z0-9+.-]+):/i
const bucketPattern = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
/** S3 ends keys at 1,024 bytes, and our own take up to 900. */
const prefixLengthMax = 100

const form = "write s3://bucket/prefix, or a folder"

/** What is wrong with an address, in words that repeat nothing of it: it may hold a password. */
const bucketProblem = (bucket: string): string | undefined => {
  if (bucket.includes("@")) return "credentials do not belong here; set the AWS_ variables"
  if (bucket.includes(":")) return "a server's address does not belong here; set AWS_ENDPOINT_URL"
  if (bucketPattern.test(bucket)) return undefined
  return "the name of the bucket is made of 3 to 63 of a-z 0-9 . - and begins and ends with a letter or digit"
}

const prefixProblem = (prefix: string): string | undefined =>
  prefix === "" || (isObjectKey(prefix) && prefix.length <= prefixLengthMax)
    ? undefined
    : `the prefix is made of A-Z a-z 0-9 . _ = - with / between, at most ${prefixLengthMax} characters`

const splitAddress = (text: string): { readonly bucket: string; readonly prefix: string } => {
  const [bucket = "", ...rest] = text.slice("s3://".length).split("/")
  return { bucket, prefix: rest.join("/").replace(/\/$/, "") }
}

/** What is wrong with the text, and what to write instead; `undefined` where it names a place. */
export const placeProblem = (text: string): string | undefined => {
  const scheme = addressPattern.exec(text)?.[1]
  if (scheme === undefined) return undefined
  if (/^https?$/i.test(scheme)) {
    return "expected s3://bucket/prefix or a folder; the server's own address goes into AWS_ENDPOINT_URL"
  }
  if (!/^s3$/i.test(scheme)) return `stores of the kind "${scheme}:" are not supported; ${form}`
  if (!text.startsWith("s3://")) return "expected s3://bucket/prefix or a folder"
  const { bucket, prefix } = splitAddress(text)
  const problem = bucketProblem(bucket) ?? prefixProblem(prefix)
  return problem === undefined ? undefined : `${problem}; ${form}`
}

/** The place that a text without a `placeProblem` names. */
export const placeFrom = (text: string): StorePlace =>
  text.startsWith("s3://") ? { kind: "s3", ...splitAddress(text) } : { kind: "folder", folder: resolve(text) }

export const s3Url = ({ bucket, prefix }: S3Place): string =>
  prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix}`
