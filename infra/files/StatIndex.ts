/**
 * What files held when they looked as they look now: by path, the digest of a file beside the size, times and
 * inode it had. While those agree, nobody need read it again.
 *
 * A system stamps writes with a clock that stands still for a while, so a file that was written just before
 * it was read may be written again under the same stamp: such a file is remembered, but not trusted.
 */
import { randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { type Digest, hexOf } from "../../lib/storage/Digest.ts"
import { sha256 } from "./hashFile.ts"

/**
 * Node's own `Stats` are one. Times in milliseconds, exact to a quarter of a microsecond: finer than the
 * clocks that stamp files.
 */
export interface FileStamp {
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly ino: number
}

/** Longer than the coarsest clock we know of a file system (FAT's two seconds). */
export const stampAgeMinMillis = 2_100

const magic = Buffer.from("distillery stat index 1\n")
const headBytes = magic.length + 8
const stampNumbers = 4
const digestBytes = 32
const entryBytes = 8 * stampNumbers + digestBytes
/** No file has it, so no look-up finds what is remembered with it. */
const untrustedSize = -1

const grown = (bytes: Buffer, sizeMin: number): Buffer => {
  if (bytes.length >= sizeMin) return bytes
  const larger = Buffer.alloc(Math.max(sizeMin, 2 * bytes.length, 64 * entryBytes))
  bytes.copy(larger)
  return larger
}

export class StatIndex {
  private readonly places = new Map<string, number>()
  /** One entry behind the other: size, mtime, ctime, inode as doubles, then the digest's bytes. */
  private entries: Buffer
  private changed = false

  private constructor(paths: ReadonlyArray<string>, entries: Buffer) {
    paths.forEach((path, place) => {
      this.places.set(path, place)
    })
    this.entries = entries
  }

  static empty(): StatIndex {
    return new StatIndex([], Buffer.alloc(0))
  }

  /** Empty where the file is absent, damaged, or of another version. */
  static load(file: string): StatIndex {
    const bytes = readIfPresent(file)
    return (bytes === undefined ? undefined : StatIndex.parse(bytes)) ?? StatIndex.empty()
  }

  private static parse(bytes: Buffer): StatIndex | undefined {
    const end = bytes.length - digestBytes
    if (end < headBytes || !bytes.subarray(0, magic.length).equals(magic)) return undefined
    if (sha256(bytes.subarray(0, end)) !== bytes.toString("hex", end)) return undefined
    const count = bytes.readDoubleLE(magic.length)
    const pathsAt = headBytes + count * entryBytes
    const paths = count === 0 ? [] : bytes.toString("utf8", pathsAt, end).split("\0")
    return new StatIndex(paths, bytes.subarray(headBytes, pathsAt))
  }

  get size(): number {
    return this.places.size
  }

  /** The digest of the file while it looks as it did; `undefined` says: read it. */
  find(path: string, stamp: FileStamp): Digest | undefined {
    const place = this.places.get(path)
    if (place === undefined) return undefined
    const { entries } = this
    const at = place * entryBytes
    return entries.readDoubleLE(at) === stamp.size &&
      entries.readDoubleLE(at + 8) === stamp.mtimeMs &&
      entries.readDoubleLE(at + 16) === stamp.ctimeMs &&
      entries.readDoubleLE(at + 24) === stamp.ino
      ? this.digestAt(place)
      : undefined
  }

  /**
   * Remembers what was read. `stamp` was taken before the reading began, and `takenAtMillis` before that, so
   * that a file which changes meanwhile is read again next time.
   */
  record(path: string, stamp: FileStamp, digest: Digest, takenAtMillis: number): void {
    const place = this.places.get(path) ?? this.places.size
    this.places.set(path, place)
    this.entries = grown(this.entries, (place + 1) * entryBytes)
    const at = place * entryBytes
    const settled = Math.max(stamp.mtimeMs, stamp.ctimeMs) + stampAgeMinMillis <= takenAtMillis
    this.entries.writeDoubleLE(settled ? stamp.size : untrustedSize, at)
    this.entries.writeDoubleLE(stamp.mtimeMs, at + 8)
    this.entries.writeDoubleLE(stamp.ctimeMs, at + 16)
    this.entries.writeDoubleLE(stamp.ino, at + 24)
    this.entries.write(hexOf(digest), at + 8 * stampNumbers, "hex")
    this.changed = true
  }

  /** All that is remembered, trusted or not, in no particular order. */
  *files(): Generator<{ readonly path: string; readonly digest: Digest }> {
    for (const [path, place] of this.places) yield { path, digest: this.digestAt(place) }
  }

  /** Forgets the files that are not among these. */
  keepOnly(paths: ReadonlySet<string>): void {
    if (this.places.size === paths.size && [...this.places.keys()].every((path) => paths.has(path))) return
    const kept = [...this.places].filter(([path]) => paths.has(path))
    const parts = kept.map(([, place]) => this.entries.subarray(place * entryBytes, (place + 1) * entryBytes))
    this.entries = Buffer.concat(parts)
    this.places.clear()
    kept.forEach(([path], place) => {
      this.places.set(path, place)
    })
    this.changed = true
  }

  /**
   * Writes what is remembered, if it is not what was loaded; readers see the old file or the new one, and of
   * two writers the last. Throws the system's error.
   */
  save(file: string): void {
    if (!this.changed) return
    const head = Buffer.alloc(8)
    head.writeDoubleLE(this.places.size)
    const paths = Buffer.from([...this.places.keys()].join("\0"))
    const bytes = Buffer.concat([magic, head, this.entries.subarray(0, this.places.size * entryBytes), paths])
    const temporary = `${file}.${process.pid}-${randomBytes(6).toString("hex")}`
    mkdirSync(dirname(file), { recursive: true })
    try {
      // Not synced: a torn file is told by its checksum, and costs one more reading.
      writeFileSync(temporary, Buffer.concat([bytes, Buffer.from(sha256(bytes), "hex")]))
      renameSync(temporary, file)
    } finally {
      rmSync(temporary, { force: true })
    }
    this.changed = false
  }

  private digestAt(place: number): Digest {
    const at = place * entryBytes + 8 * stampNumbers
    return `sha256:${this.entries.toString("hex", at, at + digestBytes)}` as Digest
  }
}

const readIfPresent = (file: string): Buffer | undefined => {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
