/** Takes single files out of a wheel, which is a zip archive, without holding them in memory. */
import { createHash } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import * as fs from "node:fs/promises"
import { Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createInflateRaw } from "node:zlib"

/** A file wanted from the archive, known byte for byte. */
export interface WheelFile {
  readonly entry: string
  readonly sizeBytes: number
  readonly sha256: string
}

/**
 * Unpacks one file to `target`, verifying size and digest on the way. Throws if the archive is broken, lacks
 * the file, or holds another one under its name; what was written is then left for the caller to remove.
 */
export const extractFromWheel = async (
  archive: string,
  file: WheelFile,
  target: string,
  onProgress: (bytes: number) => void,
  signal: AbortSignal
): Promise<void> => {
  const { start, length } = await findEntry(archive, file.entry)
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
  const compressed = createReadStream(archive, { start, end: start + length - 1, highWaterMark: CHUNK_BYTES })
  const inflate = createInflateRaw({ chunkSize: CHUNK_BYTES })
  await pipeline(compressed, inflate, meter, createWriteStream(target), { signal })
  const sha256 = hash.digest("hex")
  if (bytes !== file.sizeBytes || sha256 !== file.sha256) {
    throw new Error(
      `${file.entry} of the fetched wheel is not the file we know: ` +
        `it has ${bytes} bytes and SHA-256 ${sha256}, not ${file.sizeBytes} and ${file.sha256}`
    )
  }
}

const CHUNK_BYTES = 1 << 20

interface EntryRange {
  /** Of the compressed bytes. */
  readonly start: number
  readonly length: number
}

/** Signatures and offsets are those of PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16. */
const END_SIGNATURE = 0x06054b50
const CENTRAL_SIGNATURE = 0x02014b50
const LOCAL_SIGNATURE = 0x04034b50
const END_BYTES = 22
const CENTRAL_BYTES = 46
const LOCAL_BYTES = 30
const MAX_COMMENT_BYTES = 0xffff
const DEFLATED = 8

const findEntry = async (archive: string, name: string): Promise<EntryRange> => {
  const handle = await fs.open(archive)
  try {
    const directory = await readDirectory(handle)
    for (let at = 0; at + CENTRAL_BYTES <= directory.length; ) {
      if (directory.readUInt32LE(at) !== CENTRAL_SIGNATURE) break
      const nameLength = directory.readUInt16LE(at + 28)
      const entry = directory.toString("utf8", at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength)
      if (entry === name) return await rangeOf(handle, directory.subarray(at))
      at += CENTRAL_BYTES + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
    }
  } finally {
    await handle.close()
  }
  throw new Error(`the wheel ${archive} holds no ${name}`)
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

const rangeOf = async (handle: fs.FileHandle, central: Buffer): Promise<EntryRange> => {
  if (central.readUInt16LE(10) !== DEFLATED)
    throw new Error("the wheel is compressed in a way we do not know")
  const offset = central.readUInt32LE(42)
  const local = await readAt(handle, offset, offset + LOCAL_BYTES)
  if (local.length < LOCAL_BYTES || local.readUInt32LE(0) !== LOCAL_SIGNATURE) {
    throw new Error("the wheel's directory points outside of its entries")
  }
  const start = offset + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28)
  return { start, length: central.readUInt32LE(20) }
}

const readAt = async (handle: fs.FileHandle, start: number, end: number): Promise<Buffer> => {
  const buffer = Buffer.alloc(end - start)
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, start)
  return buffer.subarray(0, bytesRead)
}
