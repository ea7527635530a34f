/** Writing an object: in one request, or in parts side by side where it is large and no condition is set. */
import { randomUUID } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"
import { HeadObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3"
import { Upload } from "@aws-sdk/lib-storage"
import type { PutCondition } from "../../lib/storage/ObjectStore.ts"
import { backoffMillis } from "./s3Client.ts"
import type { S3Object } from "./s3Download.ts"
import { isAbsence, isConflict, isPrecondition, isUploadGone, type S3Failure } from "./s3Errors.ts"

export interface UploadSizes {
  /** Larger objects are written in parts of this size. */
  readonly partBytes: number
  readonly multipartBytesMin: number
  readonly numParallel: number
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

const headersFor = (condition: PutCondition | undefined) => {
  if (condition === undefined) return {}
  return condition._tag === "Absent" ? { IfNoneMatch: "*" } : { IfMatch: condition.version }
}

const isLost = (error: S3Failure, condition: PutCondition | undefined): boolean =>
  isPrecondition(error) || (condition?._tag === "Version" && isAbsence(error, "PUT"))

/** A Buffer, not a stream: those are never sent again. It shares the caller's memory. */
const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const putWhole = async (
  object: S3Object,
  bytes: Uint8Array,
  condition: PutCondition | undefined,
  signal: AbortSignal
): Promise<string> => {
  const nonce = randomUUID()
  const command = new PutObjectCommand({
    ...target(object),
    Body: bufferOf(bytes),
    ...headersFor(condition),
    ...(condition !== undefined && { Metadata: { [nonceName]: nonce } })
  })
  for (let numConflicts = 1; ; numConflicts++) {
    try {
      return versionOf((await object.client.send(command, { abortSignal: signal })).ETag)
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

const putInParts = async (
  object: S3Object,
  bytes: Uint8Array,
  sizes: UploadSizes,
  signal: AbortSignal
): Promise<string> => {
  const nonce = randomUUID()
  const abortController = new AbortController()
  const abort = () => abortController.abort()
  signal.addEventListener("abort", abort)
  const upload = new Upload({
    client: object.client as S3Client,
    params: { ...target(object), Body: bufferOf(bytes), Metadata: { [nonceName]: nonce } },
    partSize: Math.max(sizes.partBytes, Math.ceil(bytes.length / numPartsMax)),
    queueSize: sizes.numParallel,
    abortController
  })
  try {
    return versionOf((await upload.done()).ETag)
  } catch (error) {
    // Completed by a request whose answer was lost, then asked to complete again.
    const version = isUploadGone(error as S3Failure) ? await ownVersion(object, nonce) : undefined
    if (version === undefined) throw error
    return version
  } finally {
    signal.removeEventListener("abort", abort)
  }
}

/** Resolves to the new version. Rejects with `ConditionLost`, or with an error of the SDK. */
export const upload = (
  object: S3Object,
  bytes: Uint8Array,
  sizes: UploadSizes,
  options: { readonly condition: PutCondition | undefined; readonly signal: AbortSignal }
): Promise<string> =>
  options.condition === undefined && bytes.length > sizes.multipartBytesMin
    ? putInParts(object, bytes, sizes, options.signal)
    : putWhole(object, bytes, options.condition, options.signal)
