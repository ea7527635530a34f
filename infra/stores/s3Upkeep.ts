/**
 * What looking after a store asks of a server: moving and removing many objects, and ending uploads that
 * nobody goes on with.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  type S3Client,
  UploadPartCopyCommand
} from "@aws-sdk/client-s3"
import { isAbsence, isLacking, isPrecondition, isUploadGone, type S3Failure } from "./s3Errors.ts"

export interface S3Bucket {
  readonly client: S3Client
  readonly bucket: string
}

/** What S3 takes in one request. */
const numKeysMax = 1000
const copyBytesMax = 5 * 2 ** 30
const copyPartBytes = 512 * 2 ** 20

export interface CopySizes {
  /** Larger objects are copied in parts. */
  readonly wholeBytesMax: number
  readonly partBytes: number
}

const copySizes: CopySizes = { wholeBytesMax: copyBytesMax, partBytes: copyPartBytes }

const batchesOf = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size)
  )

const removeOne = async (
  { bucket, client }: S3Bucket,
  objectKey: string,
  abortSignal: AbortSignal
): Promise<void> => {
  try {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: objectKey }), { abortSignal })
  } catch (error) {
    if (!isAbsence(error as S3Failure, "GET")) throw error
  }
}

const removeBatch = async (
  { bucket, client }: S3Bucket,
  objectKeys: ReadonlyArray<string>,
  abortSignal: AbortSignal
): Promise<void> => {
  const Delete = { Objects: objectKeys.map((Key) => ({ Key })), Quiet: true }
  const answer = await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete }), { abortSignal })
  const failed = answer.Errors?.find(({ Code }) => Code !== "NoSuchKey")
  if (failed === undefined) return
  throw Object.assign(new Error(failed.Message ?? "not removed"), { Code: failed.Code ?? "InternalError" })
}

/** Removing what is absent succeeds. */
export const removeObjects = async (
  target: S3Bucket,
  objectKeys: ReadonlyArray<string>,
  abortSignal: AbortSignal
): Promise<void> => {
  for (const keys of batchesOf(objectKeys, numKeysMax)) {
    try {
      await removeBatch(target, keys, abortSignal)
    } catch (error) {
      if (!isLacking(error as S3Failure)) throw error
      // Some servers know no removal of many at once.
      for (const objectKey of keys) await removeOne(target, objectKey, abortSignal)
    }
  }
}

export interface S3Move {
  readonly fromKey: string
  readonly toKey: string
  readonly sizeBytes: number
  readonly version: string | undefined
}

const copyInParts = async (
  { bucket, client }: S3Bucket,
  { fromKey, sizeBytes, toKey, version }: S3Move,
  { partBytes }: CopySizes,
  abortSignal: AbortSignal
): Promise<void> => {
  const target = { Bucket: bucket, Key: toKey }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(target), { abortSignal })
  const upload = { ...target, UploadId }
  try {
    const parts = Array.from({ length: Math.ceil(sizeBytes / partBytes) }, async (_, index) => {
      const end = Math.min((index + 1) * partBytes, sizeBytes)
      const command = new UploadPartCopyCommand({
        ...upload,
        PartNumber: index + 1,
        CopySource: `${bucket}/${fromKey}`,
        CopySourceIfMatch: version,
        CopySourceRange: `bytes=${index * partBytes}-${end - 1}`
      })
      const { CopyPartResult } = await client.send(command, { abortSignal })
      return { PartNumber: index + 1, ETag: CopyPartResult?.ETag }
    })
    const MultipartUpload = { Parts: await Promise.all(parts) }
    await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload }), { abortSignal })
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined)
    throw error
  }
}

const copy = async (
  target: S3Bucket,
  move: S3Move,
  sizes: CopySizes,
  abortSignal: AbortSignal
): Promise<void> => {
  if (move.sizeBytes > sizes.wholeBytesMax) return copyInParts(target, move, sizes, abortSignal)
  const command = new CopyObjectCommand({
    Bucket: target.bucket,
    Key: move.toKey,
    CopySource: `${target.bucket}/${move.fromKey}`,
    CopySourceIfMatch: move.version
  })
  await target.client.send(command, { abortSignal })
}

/** Only this version; servers that ignore such a condition have a moment in which a later one is lost. */
const removeVersion = async (
  { bucket, client }: S3Bucket,
  { fromKey, version }: S3Move,
  abortSignal: AbortSignal
): Promise<void> => {
  const removal = { Bucket: bucket, Key: fromKey, IfMatch: version }
  await client.send(new DeleteObjectCommand(removal), { abortSignal })
}

const moveOne = async (
  target: S3Bucket,
  move: S3Move,
  sizes: CopySizes,
  abortSignal: AbortSignal
): Promise<boolean> => {
  try {
    await copy(target, move, sizes, abortSignal)
    if (move.version !== undefined) await removeVersion(target, move, abortSignal)
    return true
  } catch (error) {
    const failure = error as S3Failure
    if (isPrecondition(failure) || isAbsence(failure, "HEAD")) return false
    throw error
  }
}

const numParallel = 16

/** Copies and removes; gives those that were there. Those without a version are removed many at once. */
export const moveObjects = async (
  target: S3Bucket,
  moves: ReadonlyArray<S3Move>,
  abortSignal: AbortSignal,
  sizes: CopySizes = copySizes
): Promise<ReadonlyArray<S3Move>> => {
  const moved: Array<S3Move> = []
  for (const batch of batchesOf(moves, numParallel)) {
    const isMoved = await Promise.all(batch.map((move) => moveOne(target, move, sizes, abortSignal)))
    moved.push(...batch.filter((_, index) => isMoved[index]))
  }
  const left = moved.filter(({ version }) => version === undefined).map(({ fromKey }) => fromKey)
  await removeObjects(target, left, abortSignal)
  return moved
}

const uploadsPage = (
  { bucket, client }: S3Bucket,
  prefix: string | undefined,
  before: ListMultipartUploadsCommandOutput | undefined,
  abortSignal: AbortSignal
): Promise<ListMultipartUploadsCommandOutput> =>
  client.send(
    new ListMultipartUploadsCommand({
      Bucket: bucket,
      Prefix: prefix,
      KeyMarker: before?.NextKeyMarker,
      UploadIdMarker: before?.NextUploadIdMarker
    }),
    { abortSignal }
  )

/** Ends the uploads under a prefix that were begun before a time; gives how many. */
const abortListed = async (
  target: S3Bucket,
  options: { readonly listed: string | undefined; readonly prefix: string; readonly beforeMillis: number },
  abortSignal: AbortSignal
): Promise<number> => {
  const { bucket, client } = target
  let numAborted = 0
  let page: ListMultipartUploadsCommandOutput | undefined
  do {
    page = await uploadsPage(target, options.listed, page, abortSignal)
    for (const { Initiated, Key = "", UploadId } of page.Uploads ?? []) {
      if (!Key.startsWith(options.prefix) || (Initiated?.getTime() ?? 0) >= options.beforeMillis) continue
      const upload = { Bucket: bucket, Key, UploadId }
      await client.send(new AbortMultipartUploadCommand(upload), { abortSignal }).catch((error: unknown) => {
        if (!isUploadGone(error as S3Failure)) throw error
      })
      numAborted += 1
    }
  } while (page.IsTruncated === true)
  return numAborted
}

/** MinIO lists uploads of one object, or of the whole bucket, and none by a prefix. */
export const abortUploads = async (
  target: S3Bucket & { readonly custom: boolean },
  prefix: string,
  beforeMillis: number,
  abortSignal: AbortSignal
): Promise<number> => {
  const options = { prefix, beforeMillis }
  const numAborted = await abortListed(target, { ...options, listed: prefix }, abortSignal)
  if (!target.custom) return numAborted
  return numAborted + (await abortListed(target, { ...options, listed: undefined }, abortSignal))
}
