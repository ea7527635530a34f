/**
 * Reading an object in ranges, some at a time, each resumed where its body broke off. The SDK tries a request
 * again but not a body that ends early, and `If-Match` keeps ranges of two versions apart.
 */
import { createHash } from "node:crypto"
import type { Readable } from "node:stream"
import { setTimeout as delay } from "node:timers/promises"
import { GetObjectCommand, type S3Client } from "@aws-sdk/client-s3"
import { ObjectTooLarge } from "../../lib/storage/ObjectStore.ts"
import type { ReadLimit } from "./fileVersions.ts"
import type { Landing } from "./s3Answer.ts"
import { backoffMillis } from "./s3Client.ts"
import type { Direct, Told } from "./s3Direct.ts"
import { isPrecondition, isRangeEmpty, type S3Failure } from "./s3Errors.ts"
import type { Part } from "./s3PartStream.ts"
import { landingAt, type Place, placeIn, put, type Stretch } from "./s3Place.ts"

export interface S3Object {
  readonly client: S3Client
  readonly direct: Direct
  readonly bucket: string
  /** The whole key, the store's prefix included. */
  readonly objectKey: string
}

export interface DownloadSizes {
  readonly partBytes: number
  readonly numParallel: number
}

/**
 * Metadata that says what the bytes are, of objects written in one request. Those in parts are blobs, mostly,
 * which their name describes.
 */
export const contentName = "distillery-sha256"

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")

/** The object was replaced while it was read. */
class Replaced extends Error {
  constructor() {
    super("it was replaced while it was read")
  }
}

/** Bodies that break off one after the other without a byte; then the server counts as down. */
const numFruitlessMax = 12
/** Replacements met while reading; nothing of ours is rewritten so often. */
const numReplacedMax = 10
/** So often damaged bytes are read, in all. */
const numDamagedMax = 3

interface Reading {
  readonly object: S3Object
  readonly place: Place
  readonly version: string | undefined
  readonly signal: AbortSignal
}

type Body = AsyncIterable<Uint8Array>

/** What an answer tells; `Body` holds the bytes where they did not land. */
type Answer = Told & { readonly Body?: unknown }

interface Range {
  readonly start: number
  readonly end: number
  readonly version?: string | undefined
}

const getRange = (
  { bucket, direct, objectKey }: S3Object,
  { end, start, version }: Range,
  landing: Landing,
  signal: AbortSignal
): Promise<Answer> => {
  const range = `bytes=${start}-${end - 1}`
  const command = () =>
    new GetObjectCommand({
      Bucket: bucket,
      Key: objectKey,
      Range: range,
      ...(version !== undefined && { IfMatch: version })
    })
  const headers = { range, ...(version !== undefined && { "if-match": version }) }
  return direct.send({ bucket, command, request: { method: "GET", objectKey, headers }, landing }, signal)
}

/** Where it ended, and why there, if not with the last byte. */
interface Copied {
  readonly at: number
  readonly error: unknown
}

/** Copies a body to its place; resolves to where it ended, whether it was whole or broke off. */
const copyBody = async (
  { place, signal }: Reading,
  body: Body,
  start: number,
  end: number
): Promise<Copied> => {
  let at = start
  try {
    for await (const chunk of body) {
      if (at + chunk.length > end) throw new Error("the server sent more than it was asked for")
      await put(place, chunk)
      at += chunk.length
    }
    return { at, error: undefined }
  } catch (error) {
    if (signal.aborted) throw error
    return { at, error }
  }
}

/** Asks for `start` to `end` of the very version that is being read. */
const ask = async (reading: Reading, start: number, end: number): Promise<Copied> => {
  const { object, place, signal, version } = reading
  const landing = landingAt(start, end - start, place)
  const answer = await getRange(object, { start, end, version }, landing, signal).catch((error: unknown) => {
    throw isPrecondition(error as S3Failure) ? new Replaced() : error
  })
  if (answer.ContentRange?.startsWith(`bytes ${start}-`) !== true) {
    ;(answer.Body as Readable | undefined)?.destroy()
    throw new Error("the server does not give parts of an object, so a broken download cannot go on")
  }
  if (landing.landed > 0) return { at: start + landing.landed, error: landing.error }
  return copyBody(reading, answer.Body as Body, start, end)
}

/** Reads `start` to `end` of the object. */
const fill = async (reading: Reading, start: number, end: number): Promise<void> => {
  let at = start
  let numFruitless = 0
  while (at < end) {
    const copied = await ask(reading, at, end)
    numFruitless = copied.at > at ? 0 : numFruitless + 1
    at = copied.at
    if (at === end) return
    if (numFruitless === numFruitlessMax) throw copied.error ?? new Error("the server sends empty bodies")
    await delay(backoffMillis(numFruitless), undefined, { signal: reading.signal })
  }
}

/** The object's size, from an answer to a request for its first part. */
const sizeOf = ({ ContentLength, ContentRange }: Answer): number => {
  const size = ContentRange === undefined ? ContentLength : Number(ContentRange.split("/")[1])
  if (size === undefined || !Number.isSafeInteger(size)) throw new Error("the server gives no size")
  return size
}

interface First {
  readonly answer: Answer
  /** Of the whole object; the first of them have come. */
  readonly bytes: Uint8Array
  readonly at: number
}

const refuseLarger = (sizeBytes: number, limit: ReadLimit | undefined): void => {
  if (limit !== undefined && sizeBytes > limit.sizeBytesMax) throw new ObjectTooLarge({ ...limit, sizeBytes })
}

/** Memory for the whole of an object whose body is on its way. */
const roomFor = (answer: Answer, limit: ReadLimit | undefined): Uint8Array => {
  try {
    refuseLarger(sizeOf(answer), limit)
    return new Uint8Array(sizeOf(answer))
  } catch (error) {
    ;(answer.Body as Readable).destroy()
    throw error
  }
}

/** `undefined` for an empty object: no range of it can be had. */
const openFirst = async (
  object: S3Object,
  { partBytes }: DownloadSizes,
  { limit, signal }: DownloadOptions
) => {
  // One more shows that it is larger.
  const end = Math.min(partBytes, (limit?.sizeBytesMax ?? partBytes) + 1)
  let bytes: Uint8Array | undefined
  let place: Place | undefined
  const accepts = (lengthBytes: number, sizeBytes: number) => {
    refuseLarger(sizeBytes, limit)
    if (lengthBytes > sizeBytes) return false
    bytes = new Uint8Array(sizeBytes)
    place = placeIn(bytes)
    return true
  }
  const there: Place = { room: () => place?.room(), land: (count) => place!.land(count) }
  const landing = landingAt(0, end, there, accepts)
  const answer = await getRange(object, { start: 0, end }, landing, signal).catch((error: unknown) => {
    if (isRangeEmpty(error as S3Failure)) return undefined
    throw error
  })
  if (answer === undefined) return undefined
  if (answer.Body === undefined) return { answer, bytes: bytes!, at: landing.landed } satisfies First
  const whole = roomFor(answer, limit)
  const reading = { object, place: placeIn(whole), version: answer.ETag, signal }
  const { at } = await copyBody(reading, answer.Body as Body, 0, whole.length)
  return { answer, bytes: whole, at } satisfies First
}

interface Read {
  readonly bytes: Uint8Array
  /** Whether the bytes are what the object's metadata says, if it says anything. */
  readonly isSound: boolean
}

const asRead = (bytes: Uint8Array, { Metadata }: Answer): Read => {
  const content = Metadata?.[contentName]
  return { bytes, isSound: content === undefined || content === sha256(bytes) }
}

/** The parts behind the first, and what that lacks. */
const fillRest = async (object: S3Object, sizes: DownloadSizes, first: First, outer: AbortSignal) => {
  // The first part that fails ends the others.
  const failing = new AbortController()
  const signal = AbortSignal.any([outer, failing.signal])
  const { answer, at, bytes } = first
  const fillAt = (start: number, end: number): Promise<void> =>
    fill({ object, place: placeIn(bytes, start), version: answer.ETag, signal }, start, end)
  const firstEnd = answer.ContentRange === undefined ? bytes.length : Math.min(sizes.partBytes, bytes.length)
  let next = firstEnd
  const work = async (): Promise<void> => {
    while (next < bytes.length) {
      const start = next
      next = Math.min(start + sizes.partBytes, bytes.length)
      await fillAt(start, next)
    }
  }
  const others = Array.from({ length: sizes.numParallel - 1 }, work)
  const rest = fillAt(at, firstEnd).then(work)
  try {
    await Promise.all([rest, ...others])
  } catch (error) {
    failing.abort()
    throw error
  }
}

const readOnce = async (object: S3Object, sizes: DownloadSizes, options: DownloadOptions): Promise<Read> => {
  const first = await openFirst(object, sizes, options)
  if (first === undefined) return { bytes: new Uint8Array(0), isSound: true }
  if (first.at < first.bytes.length) await fillRest(object, sizes, first, options.signal)
  return asRead(first.bytes, first.answer)
}

/** Fills `bytes` with those of this version of the object from `start` on. */
export const downloadPart = (
  object: S3Object,
  version: string,
  { bytes, start }: Part,
  signal: AbortSignal
): Promise<void> => fill({ object, place: placeIn(bytes), version, signal }, start, start + bytes.length)

/** The same for `start` to `end`, whose bytes go to wherever the place says. */
export const downloadStretch = (
  object: S3Object,
  version: string,
  { end, place, start }: Stretch,
  signal: AbortSignal
): Promise<void> => fill({ object, place, version, signal }, start, end)

export interface DownloadOptions {
  readonly signal: AbortSignal
  /** Throws `ObjectTooLarge` for what is larger, before memory is taken for it. */
  readonly limit?: ReadLimit
}

/**
 * The bytes of one version of the object, as many as the server says. Bytes that are not what the object's
 * metadata says were damaged on the way, and are read again; those that come so every time lie so in the
 * store, and whoever knows what they should be finds out.
 */
export const download = async (
  object: S3Object,
  sizes: DownloadSizes,
  options: DownloadOptions
): Promise<Uint8Array> => {
  let numReplaced = 0
  let numDamaged = 0
  for (;;) {
    try {
      const { bytes, isSound } = await readOnce(object, sizes, options)
      if (isSound || ++numDamaged === numDamagedMax) return bytes
    } catch (error) {
      if (!(error instanceof Replaced)) throw error
      if (++numReplaced === numReplacedMax)
        throw new Error("it was replaced again and again while it was read")
    }
  }
}
