/** Writing an object: in one request, or in parts side by side where it is large and no condition is set. */
import { randomUUID } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"
import { HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3"
import type { PutCondition } from "../../lib/storage/ObjectStore.ts"
import { backoffMillis } from "./s3Client.ts"
import type { Asked } from "./s3Direct.ts"
import { contentName, type S3Object, sha256 } from "./s3Download.ts"
import { isAbsence, isConflict, isPrecondition, isUploadGone, type S3Failure } from "./s3Errors.ts"
import { gathered, type PartSizes, partsOf, uploadInParts } from "./s3UploadInParts.ts"

export interface UploadSizes extends PartSizes {
  /** Larger objects are written in parts. */
  readonly multipartBytesMin: number
}

/** Its condition did not hold; somebody else's object stands there, or none. */
export class ConditionLost extends Error {}

/** Tells a write of ours that was committed, its answer lost, from another writer's. */
const nonceName = "distillery-write"

/** S3 takes no more parts than that. */
const numPartsMax = 10_000
/** Tries while another write of the same key is going on. */
const numConflictsMax = 12

const target = ({ bucket, objectKey }: S3Object) => ({ Bucket: bucket, Key: objectKey })

const versionOf = (eTag: string | undefined): string => {
  if (eTag === undefined) throw new Error("the server gives no ETag")
  return eTag
}

/** The version that our own write left there, if it stands. */
const ownVersion = async (object: S3Object, nonce: string): Promise<string | undefined> => {
  const head = await object.client.send(new HeadObjectCommand(target(object))).catch((error: unknown) => {
    if (isAbsence(error as S3Failure, "HEAD")) return undefined
    throw error
  })
  return head?.Metadata?.[nonceName] === nonce ? versionOf(head.ETag) : undefined
}

const conditionFor = (condition: PutCondition | undefined) => {
  if (condition === undefined) return { input: {}, headers: {} }
  return condition._tag === "Absent"
    ? { input: { IfNoneMatch: "*" }, headers: { "if-none-match": "*" } }
    : { input: { IfMatch: condition.version }, headers: { "if-match": condition.version } }
}

const isLost = (error: S3Failure, condition: PutCondition | undefined): boolean =>
  isPrecondition(error) || (condition?._tag === "Version" && isAbsence(error, "PUT"))

/** A Buffer, not a stream: those are never sent again. It shares the caller's memory. */
const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** One request in the SDK's words and in ours. */
const askedFor = (
  object: S3Object,
  bytes: Uint8Array,
  condition: PutCondition | undefined,
  nonce: string
): Asked<PutObjectCommand> => {
  const { bucket, objectKey } = object
  const body = bufferOf(bytes)
  const content = sha256(bytes)
  const { headers, input } = conditionFor(condition)
  const Metadata = { [contentName]: content, ...(condition !== undefined && { [nonceName]: nonce }) }
  const metadata = Object.entries(Metadata).map(([name, value]) => [`x-amz-meta-${name}`, value] as const)
  return {
    bucket,
    command: () => new PutObjectCommand({ ...target(object), Body: body, ...input, Metadata }),
    request: {
      method: "PUT",
      objectKey,
      headers: { "content-type": "application/octet-stream", ...headers, ...Object.fromEntries(metadata) },
      body,
      bodySha256: content
    }
  }
}

const putWhole = async (
  object: S3Object,
  bytes: Uint8Array,
  condition: PutCondition | undefined,
  signal: AbortSignal
): Promise<string> => {
  const nonce = randomUUID()
  const asked = askedFor(object, bytes, condition, nonce)
  for (let numConflicts = 1; ; numConflicts++) {
    try {
      return versionOf((await object.direct.send(asked, signal)).ETag)
    } catch (error) {
      if (isLost(error as S3Failure, condition)) {
        const version = await ownVersion(object, nonce)
        if (version === undefined) throw new ConditionLost()
        return version
      }
      if (!isConflict(error as S3Failure) || numConflicts === numConflictsMax) throw error
      await delay(backoffMillis(0), undefined, { signal })
    }
  }
}

type Parts = Parameters<typeof uploadInParts>[2]

const putInParts = async (
  object: S3Object,
  parts: Parts,
  sizes: UploadSizes,
  signal: AbortSignal
): Promise<string> => {
  const nonce = randomUUID()
  try {
    return versionOf(await uploadInParts(object, { [nonceName]: nonce }, parts, sizes, signal))
  } catch (error) {
    // Completed by a request whose answer was lost, then asked to complete again.
    const version = isUploadGone(error as S3Failure) ? await ownVersion(object, nonce) : undefined
    if (version === undefined) throw error
    return version
  }
}

const partBytesFor = (sizeBytes: number, { partBytes }: UploadSizes): number =>
  Math.max(partBytes, Math.ceil(sizeBytes / numPartsMax))

/** Resolves to the new version. Rejects with `ConditionLost`, or with an error of the SDK. */
export const upload = (
  object: S3Object,
  bytes: Uint8Array,
  sizes: UploadSizes,
  options: { readonly condition: PutCondition | undefined; readonly signal: AbortSignal }
): Promise<string> =>
  options.condition === undefined && bytes.length > sizes.multipartBytesMin
    ? putInParts(object, partsOf(bufferOf(bytes), partBytesFor(bytes.length, sizes)), sizes, options.signal)
    : putWhole(object, bytes, options.condition, options.signal)

export interface Arriving {
  readonly sizeBytes: number
  readonly chunks: AsyncIterable<Uint8Array>
}

/**
 * Resolves to the new version. Of a large object only the parts under way are held, so that each can be sent
 * again; rejects with what the chunks throw, and then nothing is written.
 */
export const uploadStream = async (
  object: S3Object,
  { chunks, sizeBytes }: Arriving,
  sizes: UploadSizes,
  signal: AbortSignal
): Promise<string> => {
  if (sizeBytes > sizes.multipartBytesMin) {
    return putInParts(object, gathered(chunks, partBytesFor(sizeBytes, sizes)), sizes, signal)
  }
  const whole: Array<Uint8Array> = []
  for await (const chunk of chunks) whole.push(new Uint8Array(chunk))
  return putWhole(object, Buffer.concat(whole), undefined, signal)
}
