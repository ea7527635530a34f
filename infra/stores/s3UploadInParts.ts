/**
 * Writing a large object in parts side by side. A part lies in a buffer of its own until it is written, so
 * that it can be sent again; the buffers serve one part after another, because a new one for each costs the
 * garbage collector more than sending it.
 */
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand
} from "@aws-sdk/client-s3"
import { hashedBeside, sharedRoom } from "../hashThread.ts"
import type { Asked } from "./s3Direct.ts"
import { type S3Object, sha256 } from "./s3Download.ts"

export interface PartSizes {
  readonly partBytes: number
  readonly numParallel: number
}

interface Part {
  readonly bytes: Buffer
  /** Nobody needs the bytes any more. */
  readonly release: () => void
}

/** Parts of bytes that lie in memory already. */
export function* partsOf(bytes: Buffer, partBytes: number): Generator<Part> {
  for (let start = 0; start < bytes.length; start += partBytes) {
    yield { bytes: bytes.subarray(start, start + partBytes), release: () => undefined }
  }
}

/** Chunks of any size, copied into parts. */
export async function* gathered(chunks: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Part> {
  const free: Array<Buffer> = []
  const takeRoom = () => free.pop() ?? sharedRoom(partBytes)
  const part = (room: Buffer, filled: number): Part => ({
    bytes: room.subarray(0, filled),
    release: () => free.push(room)
  })
  let room = takeRoom()
  let filled = 0
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; ) {
      const some = chunk.subarray(from, from + partBytes - filled)
      room.set(some, filled)
      from += some.length
      filled += some.length
      if (filled < partBytes) continue
      yield part(room, filled)
      room = takeRoom()
      filled = 0
    }
  }
  if (filled > 0) yield part(room, filled)
}

interface Target {
  readonly Bucket: string
  readonly Key: string
}

/** Amazon wants to be told of the checksums that the SDK adds to parts; other servers get none. */
const checksums = async ({ client }: S3Object) =>
  (await client.config.requestChecksumCalculation()) === "WHEN_SUPPORTED"
    ? ({ ChecksumAlgorithm: "CRC32" } as const)
    : {}

interface Upload extends Target {
  readonly UploadId: string
}

interface SentPart extends Upload {
  readonly PartNumber: number
  readonly Body: Buffer
}

const askedFor = async (
  { bucket, objectKey }: S3Object,
  part: SentPart
): Promise<Asked<UploadPartCommand>> => ({
  bucket,
  command: () => new UploadPartCommand(part),
  request: {
    method: "PUT",
    objectKey,
    query: [
      ["partNumber", String(part.PartNumber)],
      ["uploadId", part.UploadId]
    ],
    headers: { "content-type": "application/octet-stream" },
    body: part.Body,
    bodySha256: (await hashedBeside(part.Body)) ?? sha256(part.Body)
  }
})

const sendAll = async (
  object: S3Object,
  upload: Upload,
  parts: Iterable<Part> | AsyncIterable<Part>,
  { numParallel }: PartSizes,
  outer: AbortSignal
): Promise<ReadonlyArray<CompletedPart>> => {
  // The first part that fails ends the others.
  const failing = new AbortController()
  const signal = AbortSignal.any([outer, failing.signal])
  const completed: Array<CompletedPart> = []
  const send = async ({ bytes, release }: Part, index: number): Promise<void> => {
    const PartNumber = index + 1
    const asked = await askedFor(object, { ...upload, PartNumber, Body: bytes })
    const { ChecksumCRC32, ETag } = await object.direct.send(asked, signal)
    completed[index] = { PartNumber, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) }
    release()
  }
  const underWay = new Set<Promise<void>>()
  let count = 0
  try {
    for await (const part of parts) {
      const sending = send(part, count++).finally(() => underWay.delete(sending))
      // Told by whoever waits for it.
      sending.catch(() => undefined)
      underWay.add(sending)
      if (underWay.size >= numParallel) await Promise.race(underWay)
    }
    await Promise.all(underWay)
  } catch (error) {
    failing.abort()
    throw error
  }
  return completed
}

/** Resolves to the ETag. Rejects with an error of the SDK or of the parts; then nothing is written. */
export const uploadInParts = async (
  object: S3Object,
  metadata: { readonly [name: string]: string },
  parts: Iterable<Part> | AsyncIterable<Part>,
  sizes: PartSizes,
  abortSignal: AbortSignal
): Promise<string | undefined> => {
  const { bucket, client, objectKey } = object
  const target = { Bucket: bucket, Key: objectKey }
  const asked = { ...target, Metadata: metadata, ...(await checksums(object)) }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(asked), { abortSignal })
  if (UploadId === undefined) throw new Error("the server does not name the upload that it began")
  const upload = { ...target, UploadId }
  try {
    const Parts = [...(await sendAll(object, upload, parts, sizes, abortSignal))]
    const complete = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } })
    return (await client.send(complete, { abortSignal })).ETag
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined)
    throw error
  }
}
