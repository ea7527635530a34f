/** Takes files out of a wheel, which is a zip archive, without holding them in memory. */
import { createHash } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import { PassThrough, Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createInflateRaw } from "node:zlib"

/** A file that was taken out. */
export interface UnpackedFile {
  /** Below the folder it was unpacked into, with slashes. */
  readonly path: string
  readonly sizeBytes: number
  readonly sha256: string
}

export interface UnpackOptions {
  readonly archive: string
  /** The files whose name in the archive matches. */
  readonly wanted: RegExp
  /** Left out of the front of their paths. */
  readonly prefix: string
  readonly folder: string
  /** Told the bytes unpacked so far. */
  readonly onProgress: (bytes: number) => void
  readonly signal: AbortSignal
}

/**
 * Unpacks the files wanted and says what they hold. Throws if the archive is broken or has none of them; what
 * was written is then left for the caller to remove.
 */
export const unpackWheel = async (options: UnpackOptions): Promise<ReadonlyArray<UnpackedFile>> => {
  const { archive, folder, onProgress, prefix, wanted } = options
  const entries = (await entriesOf(archive)).filter(({ name }) => wanted.test(name))
  if (entries.length === 0) throw new Error(`the wheel ${archive} holds nothing like ${wanted.source}`)
  const files: Array<UnpackedFile> = []
  let done = 0
  for (const entry of entries) {
    const name = entry.name.startsWith(prefix) ? entry.name.slice(prefix.length) : entry.name
    const target = path.join(folder, name)
    await fs.mkdir(path.dirname(target), { recursive: true })
    const file = await extract(entry, target, options, (bytes) => onProgress(done + bytes))
    files.push({ path: name, ...file })
    done += file.sizeBytes
  }
  return files
}

const extract = async (
  { deflated, length, start }: Entry,
  target: string,
  { archive, signal }: UnpackOptions,
  onProgress: (bytes: number) => void
): Promise<Omit<UnpackedFile, "path">> => {
  const hash = createHash("sha256")
  let bytes = 0
  const meter = new Transform({
    transform: (chunk: Buffer, _encoding, next) => {
      hash.update(chunk)
      bytes += chunk.length
      onProgress(bytes)
      next(null, chunk)
    }
  })
  const packed = createReadStream(archive, { start, end: start + length - 1, highWaterMark: CHUNK_BYTES })
  const unpacked = deflated ? createInflateRaw({ chunkSize: CHUNK_BYTES }) : new PassThrough()
  await pipeline(packed, unpacked, meter, createWriteStream(target, { mode: EXECUTABLE }), { signal })
  return { sizeBytes: bytes, sha256: hash.digest("hex") }
}

const CHUNK_BYTES = 1 << 20
/** One of NVIDIA's files is a program; for shared objects it does no harm. */
const EXECUTABLE = 0o755

interface Entry {
  readonly name: string
  /** Of the compressed bytes. */
  readonly start: number
  readonly length: number
  readonly deflated: boolean
}

/** Signatures and offsets are those of PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16. */
const END_SIGNATURE = 0x06054b50
const CENTRAL_SIGNATURE = 0x02014b50
const LOCAL_SIGNATURE = 0x04034b50
const END_BYTES = 22
const CENTRAL_BYTES = 46
const LOCAL_BYTES = 30
const MAX_COMMENT_BYTES = 0xffff
const STORED = 0
const DEFLATED = 8

const entriesOf = async (archive: string): Promise<ReadonlyArray<Entry>> => {
  const handle = await fs.open(archive)
  try {
    const directory = await readDirectory(handle)
    const entries: Array<Entry> = []
    for (let at = 0; at + CENTRAL_BYTES <= directory.length; ) {
      if (directory.readUInt32LE(at) !== CENTRAL_SIGNATURE) break
      const nameLength = directory.readUInt16LE(at + 28)
      const name = directory.toString("utf8", at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength)
      entries.push(await entryAt(handle, name, directory.subarray(at)))
      at += CENTRAL_BYTES + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
    }
    return entries
  } finally {
    await handle.close()
  }
}

const readDirectory = async (handle: fs.FileHandle): Promise<Buffer> => {
  const { size } = await handle.stat()
  const tail = await readAt(handle, Math.max(0, size - END_BYTES - MAX_COMMENT_BYTES), size)
  for (let at = tail.length - END_BYTES; at >= 0; at -= 1) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue
    const start = tail.readUInt32LE(at + 16)
    return readAt(handle, start, start + tail.readUInt32LE(at + 12))
  }
  throw new Error("the fetched wheel is no zip archive, or its end is missing")
}

const entryAt = async (handle: fs.FileHandle, name: string, central: Buffer): Promise<Entry> => {
  const method = central.readUInt16LE(10)
  if (method !== DEFLATED && method !== STORED)
    throw new Error("the wheel is compressed in a way we do not know")
  const offset = central.readUInt32LE(42)
  const local = await readAt(handle, offset, offset + LOCAL_BYTES)
  if (local.length < LOCAL_BYTES || local.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw new Error("the wheel's directory points outside of its entries")
  }
  const start = offset + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28)
  return { name, start, length: central.readUInt32LE(20), deflated: method === DEFLATED }
}

const readAt = async (handle: fs.FileHandle, start: number, end: number): Promise<Buffer> => {
  const buffer = Buffer.alloc(end - start)
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start)
  return buffer.subarray(0, bytesRead)
}
