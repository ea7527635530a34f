/** What an S3 store does with objects below its prefix, as promises that reject with its errors or S3's. */
import { DeleteObjectCommand, HeadObjectCommand, ListObjectsV2Command } from "@aws-sdk/client-s3"
import { type Effect, Option } from "effect"
import type { ByteSource } from "../../lib/storage/ByteSource.ts"
import { conditionText } from "../../lib/storage/MemoryObjectStore.ts"
import {
  type Move,
  type ObjectInfo,
  ObjectNotFound,
  type ObjectStore,
  PreconditionFailed,
  type PutCondition,
  type StoreError
} from "../../lib/storage/ObjectStore.ts"
import { isObjectKey } from "../../lib/storage/objectKeys.ts"
import { type BodySizes, bodyStream } from "./s3BodyStream.ts"
import type { S3Connection } from "./s3Client.ts"
import {
  type DownloadOptions,
  type DownloadSizes,
  download,
  downloadPart,
  downloadStretch
} from "./s3Download.ts"
import { isAbsence, type S3Failure, type S3Server } from "./s3Errors.ts"
import type { Part } from "./s3PartStream.ts"
import type { Stretch } from "./s3Place.ts"
import { abortUploads, moveObjects, removeObjects } from "./s3Upkeep.ts"
import { ConditionLost, type UploadSizes, upload, uploadStream } from "./s3Upload.ts"
import { throwingChunks } from "./sourceFailures.ts"
import type { S3Place } from "./storePlace.ts"

/** Parts are what a resumed transfer may lose, and what lies in memory twice. */
export const sizes = {
  partBytes: 8 * 2 ** 20,
  multipartBytesMin: 16 * 2 ** 20,
  numParallel: 6
} satisfies UploadSizes & DownloadSizes

export interface Opened {
  readonly connection: S3Connection
  readonly place: S3Place
  readonly server: S3Server
  /** Whether the server decides conditional writes, as far as is known. */
  readonly isConditional: boolean
}

const inPrefix = ({ prefix }: S3Place, name: string): string => (prefix === "" ? name : `${prefix}/${name}`)

export const objectOf = ({ connection, place }: Opened, name: string) => ({
  client: connection.client,
  direct: connection.direct,
  bucket: place.bucket,
  objectKey: inPrefix(place, name)
})

export const get = async (opened: Opened, key: string, options: DownloadOptions): Promise<Uint8Array> => {
  try {
    return await download(objectOf(opened, `objects/${key}`), sizes, options)
  } catch (error) {
    throw isAbsence(error as S3Failure, "GET") ? new ObjectNotFound({ key }) : error
  }
}

/** What is read bit by bit. */
const streamedSizes = {
  partBytes: 4 * 2 ** 20,
  numParallelMax: 8,
  slowMillis: 50,
  stretchBytesMax: 32 * 2 ** 20,
  pieceBytes: 2 * 2 ** 20,
  numPieces: 6
} satisfies BodySizes

export const partsOf = (opened: Opened, attempt: Attempt, { key, sizeBytes, version }: ObjectInfo) => {
  const object = objectOf(opened, `objects/${key}`)
  const reading = (read: (signal: AbortSignal) => Promise<void>) =>
    attempt("read", key, 0, (signal) =>
      read(signal).catch((error: unknown) => {
        throw isAbsence(error as S3Failure, "GET") ? new ObjectNotFound({ key }) : error
      })
    )
  const part = (one: Part) => reading((signal) => downloadPart(object, version, one, signal))
  const stretch = (one: Stretch) => reading((signal) => downloadStretch(object, version, one, signal))
  return bodyStream(sizeBytes, { part, stretch }, streamedSizes)
}

interface Answer {
  readonly sizeBytes: number | undefined
  readonly version: string | undefined
  readonly modifiedAt: Date | undefined
}

const infoFrom = (key: string, { modifiedAt, sizeBytes, version }: Answer): ObjectInfo => {
  if (version === undefined) throw new Error("the server gives no ETag")
  return { key, sizeBytes: sizeBytes ?? 0, version, modifiedAtMillis: (modifiedAt ?? new Date()).getTime() }
}

export const head = async (opened: Opened, key: string, signal: AbortSignal): Promise<ObjectInfo> => {
  const { bucket, direct, objectKey } = objectOf(opened, `objects/${key}`)
  const command = () => new HeadObjectCommand({ Bucket: bucket, Key: objectKey })
  const request = { method: "HEAD", objectKey, headers: {} } as const
  try {
    const found = await direct.send({ bucket, command, request }, signal)
    return infoFrom(key, {
      sizeBytes: found.ContentLength,
      version: found.ETag,
      modifiedAt: found.LastModified
    })
  } catch (error) {
    throw isAbsence(error as S3Failure, "HEAD") ? new ObjectNotFound({ key }) : error
  }
}

interface PutOptions {
  readonly condition: PutCondition | undefined
  readonly signal: AbortSignal
}

/** What a condition comes to where the server does not decide it: of two at once the later one stays. */
const looked = async (opened: Opened, key: string, { condition, signal }: PutOptions): Promise<void> => {
  const found = await head(opened, key, signal).catch((error: unknown) => {
    if (error instanceof ObjectNotFound) return undefined
    throw error
  })
  const wanted = condition?._tag === "Version" ? condition.version : undefined
  if (found?.version !== wanted) throw new ConditionLost()
}

const uploadTo = async (
  opened: Opened,
  key: string,
  bytes: Uint8Array,
  options: PutOptions
): Promise<string> => {
  const object = objectOf(opened, `objects/${key}`)
  if (opened.isConditional || options.condition === undefined) return upload(object, bytes, sizes, options)
  await looked(opened, key, options)
  return upload(object, bytes, sizes, { ...options, condition: undefined })
}

export const put = async (
  opened: Opened,
  key: string,
  bytes: Uint8Array,
  options: PutOptions
): Promise<ObjectInfo> => {
  try {
    const version = await uploadTo(opened, key, bytes, options)
    return infoFrom(key, { sizeBytes: bytes.length, version, modifiedAt: undefined })
  } catch (error) {
    if (!(error instanceof ConditionLost)) throw error
    throw new PreconditionFailed({ key, condition: conditionText(options.condition!) })
  }
}

export const putStream = async <E>(
  opened: Opened,
  key: string,
  { chunks, sizeBytes }: ByteSource<E>,
  signal: AbortSignal
): Promise<ObjectInfo> => {
  const object = objectOf(opened, `objects/${key}`)
  const version = await uploadStream(object, { sizeBytes, chunks: throwingChunks(chunks) }, sizes, signal)
  return infoFrom(key, { sizeBytes, version, modifiedAt: undefined })
}

export const remove = async (opened: Opened, key: string, abortSignal: AbortSignal): Promise<void> => {
  const { bucket, client, objectKey } = objectOf(opened, `objects/${key}`)
  try {
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: objectKey }), { abortSignal })
  } catch (error) {
    if (!isAbsence(error as S3Failure, "GET")) throw error
  }
}

const moveAll = async (
  opened: Opened,
  moves: ReadonlyArray<Move>,
  signal: AbortSignal
): Promise<ReadonlyArray<Move>> => {
  const { bucket, client, objectKey: root } = objectOf(opened, "objects/")
  const wanted = new Map(
    moves.map((one) => [
      { ...one, fromKey: `${root}${one.from}`, toKey: `${root}${one.to}`, version: one.version },
      one
    ])
  )
  const moved = await moveObjects({ client, bucket }, [...wanted.keys()], signal)
  const keys = new Set(moved.map(({ fromKey }) => fromKey))
  return [...wanted].flatMap(([{ fromKey }, one]) => (keys.has(fromKey) ? [one] : []))
}

/** One answer's worth of a listing, and what to ask the next with. */
export const listPage = async (
  opened: Opened,
  prefix: string,
  token: string | undefined,
  abortSignal: AbortSignal
): Promise<readonly [ReadonlyArray<ObjectInfo>, Option.Option<string | undefined>]> => {
  const { bucket, client, objectKey } = objectOf(opened, `objects/${prefix}`)
  const root = objectKey.length - prefix.length
  const page = await client.send(
    new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: objectKey,
      ...(token !== undefined && { ContinuationToken: token })
    }),
    { abortSignal }
  )
  const infos = (page.Contents ?? []).map(({ ETag, Key = "", LastModified, Size }) =>
    infoFrom(Key.slice(root), { sizeBytes: Size, version: ETag, modifiedAt: LastModified })
  )
  // Consoles leave objects named like folders.
  const ours = infos.filter(({ key }) => isObjectKey(key))
  return [ours, page.IsTruncated === true ? Option.some(page.NextContinuationToken) : Option.none()]
}

export type Attempt = <A>(
  operation: string,
  key: string,
  sizeBytes: number,
  run: (signal: AbortSignal) => Promise<A>
) => Effect.Effect<A, StoreError>

export const upkeepOf = (opened: Opened, attempt: Attempt) =>
  ({
    removeAll: (keys) =>
      attempt("remove", keys[0] ?? "", 0, (signal) => {
        const { bucket, client, objectKey: root } = objectOf(opened, "objects/")
        const ours = keys.filter(isObjectKey).map((key) => `${root}${key}`)
        return removeObjects({ client, bucket }, ours, signal)
      }),
    moveAll: (moves) =>
      attempt("move", moves[0]?.from ?? "", 0, (signal) =>
        moveAll(
          opened,
          moves.filter(({ from, to }) => isObjectKey(from) && isObjectKey(to)),
          signal
        )
      ),
    removeLeftovers: (beforeMillis) =>
      attempt("look up", "uploads", 0, (signal) => {
        const { bucket, client, objectKey: root } = objectOf(opened, "objects/")
        const { custom } = opened.server
        return abortUploads({ client, bucket, custom }, root, beforeMillis, signal)
      })
  }) satisfies Partial<ObjectStore["Service"]>
