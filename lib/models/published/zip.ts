/**
 * A reader of zip archives in memory (PKWARE's APPNOTE 6.3, with zip64), over the directory at the end. What
 * is stored uncompressed, as `torch.save` does with all, comes as a view: libraries copy it. It throws
 * `WeightsFileInvalid`.
 */
import { crc32 } from "./crc32.ts"
import { refusedTorch } from "./WeightsFileInvalid.ts"

export interface ZipEntry {
  readonly name: string
  readonly deflated: boolean
  /** As it lies in the archive, a view. */
  readonly packed: Uint8Array
  /** Uncompressed. */
  readonly sizeBytes: number
  readonly crc32: number
}

const signatures = { local: 0x04034b50, entry: 0x02014b50, end: 0x06054b50, end64: 0x06064b50 }
const locator64 = 0x07064b50
const lengths = { local: 30, entry: 46, end: 22, end64: 56, locator64: 20 }

/** What the 16- and 32-bit fields hold where the number stands in a zip64 field. */
const elsewhere = { uint16: 0xffff, uint32: 0xffffffff }

interface Directory {
  readonly begin: number
  readonly end: number
  readonly numEntries: number
}

/** All entries by name. Nothing is decompressed, and no checksum compared, before {@link checked}. */
export const listZip = (bytes: Uint8Array): ReadonlyMap<string, ZipEntry> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { begin, end, numEntries } = directoryOf(view)
  const entries = new Map<string, ZipEntry>()
  let at = begin
  for (let index = 0; index < numEntries; index++) {
    if (at + lengths.entry > end || view.getUint32(at, true) !== signatures.entry) {
      throw refusedTorch(
        `the directory of its zip archive breaks off after ${index} of ${numEntries} entries`
      )
    }
    const nameLength = view.getUint16(at + 28, true)
    const extraLength = view.getUint16(at + 30, true)
    const next = at + lengths.entry + nameLength + extraLength + view.getUint16(at + 32, true)
    if (next > end) throw refusedTorch("an entry reaches beyond the directory of its zip archive")
    const entry = entryAt(bytes, view, at, begin)
    if (entries.has(entry.name)) throw refusedTorch(`"${entry.name}" stands in its zip archive twice`)
    entries.set(entry.name, entry)
    at = next
  }
  return entries
}

/** An entry's bytes once they are known to be those that were packed. */
export const checked = (entry: ZipEntry, bytes: Uint8Array): Uint8Array => {
  if (bytes.length !== entry.sizeBytes) {
    throw refusedTorch(`"${entry.name}" should have ${entry.sizeBytes} bytes, it has ${bytes.length}`)
  }
  if (crc32(bytes) !== entry.crc32) {
    throw refusedTorch(
      `"${entry.name}" is damaged: its checksum (CRC-32) is another one`,
      "Fetch it again; if it was saved after torch.serialization.set_crc32_options(False), save it without."
    )
  }
  return bytes
}

const directoryOf = (view: DataView): Directory => {
  const at = endRecordOf(view)
  const numEntries = view.getUint16(at + 10, true)
  const sizeBytes = view.getUint32(at + 12, true)
  const begin = view.getUint32(at + 16, true)
  const isWide =
    numEntries === elsewhere.uint16 || sizeBytes === elsewhere.uint32 || begin === elsewhere.uint32
  const directory = isWide ? directory64Of(view, at) : { begin, end: begin + sizeBytes, numEntries }
  if (directory.end > at) throw refusedTorch("the directory of its zip archive lies beyond its end")
  return directory
}

/** Where the end record stands: a comment of up to 64 KiB may follow, which has to reach the end. */
const endRecordOf = (view: DataView): number => {
  const last = view.byteLength - lengths.end
  for (let at = last; at >= Math.max(0, last - 0xffff); at--) {
    const isEnd = view.getUint32(at, true) === signatures.end
    if (isEnd && view.getUint16(at + 20, true) === last - at) return at
  }
  throw refusedTorch("the end of its zip archive is missing: it was cut off, or something follows")
}

const directory64Of = (view: DataView, endRecord: number): Directory => {
  const locator = endRecord - lengths.locator64
  if (locator < 0 || view.getUint32(locator, true) !== locator64) {
    throw refusedTorch("its zip archive says it is zip64, whose directory is missing")
  }
  const at = uint64(view, locator + 8)
  if (at > locator - lengths.end64 || view.getUint32(at, true) !== signatures.end64) {
    throw refusedTorch("its zip archive says it is zip64, whose directory is missing")
  }
  const begin = uint64(view, at + 48)
  return { begin, end: begin + uint64(view, at + 40), numEntries: uint64(view, at + 32) }
}

/** Beyond 2^53 it is rounded, which is beyond any file's end as well. */
const uint64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true))

interface Sizes {
  readonly packedBytes: number
  readonly sizeBytes: number
  readonly local: number
}

const entryAt = (bytes: Uint8Array, view: DataView, at: number, directory: number): ZipEntry => {
  const nameLength = view.getUint16(at + 28, true)
  const name = new TextDecoder().decode(bytes.subarray(at + lengths.entry, at + lengths.entry + nameLength))
  const method = view.getUint16(at + 10, true)
  if ((view.getUint16(at + 8, true) & 1) !== 0) throw refusedTorch(`"${name}" is encrypted`)
  if (method !== 0 && method !== 8) {
    throw refusedTorch(`"${name}" is packed by method ${method}; stored (0) and deflated (8) can be read`)
  }
  const { local, packedBytes, sizeBytes } = sizesAt(view, at, nameLength)
  if (local + lengths.local > directory || view.getUint32(local, true) !== signatures.local) {
    throw refusedTorch(`"${name}" is not where the directory of its zip archive says`)
  }
  const begin = local + lengths.local + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
  if (begin + packedBytes > directory)
    throw refusedTorch(`"${name}" reaches into the zip archive's directory`)
  const packed = bytes.subarray(begin, begin + packedBytes)
  return { name, deflated: method === 8, packed, sizeBytes, crc32: view.getUint32(at + 16, true) }
}

/** Numbers too large for 32 bits stand in an extra field of id 1, in this order, only those. */
const sizesAt = (view: DataView, at: number, nameLength: number): Sizes => {
  const narrow = {
    sizeBytes: view.getUint32(at + 24, true),
    packedBytes: view.getUint32(at + 20, true),
    local: view.getUint32(at + 42, true)
  }
  const names = (["sizeBytes", "packedBytes", "local"] as const).filter(
    (name) => narrow[name] === elsewhere.uint32
  )
  if (names.length === 0) return narrow
  const begin = at + lengths.entry + nameLength
  const wide = extraField(view, begin, begin + view.getUint16(at + 30, true), 1)
  if (wide === undefined || wide.end < wide.begin + 8 * names.length) {
    throw refusedTorch("a size in its zip archive is missing")
  }
  const found = names.map((name, index) => [name, uint64(view, wide.begin + 8 * index)] as const)
  return { ...narrow, ...Object.fromEntries(found) }
}

interface Field {
  readonly begin: number
  readonly end: number
}

const extraField = (view: DataView, begin: number, end: number, id: number): Field | undefined => {
  let at = begin
  while (at + 4 <= end) {
    const next = at + 4 + view.getUint16(at + 2, true)
    if (view.getUint16(at, true) === id && next <= end) return { begin: at + 4, end: next }
    at = next
  }
  return undefined
}
