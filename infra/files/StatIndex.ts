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

/**
 * In this order: magic, number of entries as a double, their stamps and digests, the digest of the whole or
 * zeros, the paths with a NUL between them, SHA-256 of all before it.
 */
const magic = Buffer.from("distillery stat index 2\n")
const headBytes = magic.length + 8
/** Size, mtime, ctime, inode. */
const stampNumbers = 4
const stampBytes = 8 * stampNumbers
const digestBytes = 32
/** No file has it, so no look-up finds what is remembered with it. */
const untrustedSize = -1
const numPlacesMin = 64

interface Columns {
  /** By path: the place of its stamp and digest. */
  readonly places: Map<string, number>
  stamps: Float64Array
  digests: Buffer
}

const emptyColumns = (): Columns => ({
  places: new Map(),
  stamps: new Float64Array(),
  digests: Buffer.alloc(0)
})

const digestAt = (bytes: Buffer, at: number): Digest =>
  `sha256:${bytes.toString("hex", at, at + digestBytes)}` as Digest

export class StatIndex {
  private columns: Columns
  /** Of all that is remembered together, as whoever uses the index defines it. */
  private whole: Digest | undefined
  private changed = false

  private constructor(columns: Columns, whole: Digest | undefined) {
    this.columns = columns
    this.whole = whole
  }

  static empty(): StatIndex {
    return new StatIndex(emptyColumns(), undefined)
  }

  /** Empty where the file is absent, damaged, or of another version. */
  static load(file: string): StatIndex {
    const bytes = readIfPresent(file)
    return (bytes === undefined ? undefined : StatIndex.parse(bytes)) ?? StatIndex.empty()
  }

  private static parse(bytes: Buffer): StatIndex | undefined {
    const end = bytes.length - digestBytes
    if (end < headBytes + digestBytes || !bytes.subarray(0, magic.length).equals(magic)) return undefined
    if (sha256(bytes.subarray(0, end)) !== bytes.toString("hex", end)) return undefined
    const count = bytes.readDoubleLE(magic.length)
    const digestsAt = headBytes + count * stampBytes
    const wholeAt = digestsAt + count * digestBytes
    const stamps = new Float64Array(count * stampNumbers)
    new Uint8Array(stamps.buffer).set(bytes.subarray(headBytes, digestsAt))
    const names = count === 0 ? [] : bytes.toString("utf8", wholeAt + digestBytes, end).split("\0")
    const places = new Map<string, number>()
    for (let place = 0; place < names.length; place++) places.set(names[place]!, place)
    const whole = bytes.subarray(wholeAt, wholeAt + digestBytes)
    const columns = { places, stamps, digests: bytes.subarray(digestsAt, wholeAt) }
    return new StatIndex(columns, whole.every((byte) => byte === 0) ? undefined : digestAt(whole, 0))
  }

  get size(): number {
    return this.columns.places.size
  }

  /** Whether the file looks as it did; if not, read it. */
  matches(path: string, stamp: FileStamp): boolean {
    const { places, stamps } = this.columns
    const place = places.get(path)
    if (place === undefined) return false
    const at = place * stampNumbers
    return (
      stamps[at] === stamp.size &&
      stamps[at + 1] === stamp.mtimeMs &&
      stamps[at + 2] === stamp.ctimeMs &&
      stamps[at + 3] === stamp.ino
    )
  }

  /** Whether a file that looks as it did is taken to be as it was. */
  trusts(path: string): boolean {
    const { places, stamps } = this.columns
    const place = places.get(path)
    return place !== undefined && stamps[place * stampNumbers] !== untrustedSize
  }

  /** The digest of the file while it looks as it did. */
  find(path: string, stamp: FileStamp): Digest | undefined {
    return this.matches(path, stamp) ? this.digestOf(path) : undefined
  }

  /** The digest remembered of the file, whatever it looks like. */
  digestOf(path: string): Digest | undefined {
    const { digests, places } = this.columns
    const place = places.get(path)
    return place === undefined ? undefined : digestAt(digests, place * digestBytes)
  }

  /**
   * Remembers what was read. `stamp` was taken before the reading began, and `takenAtMillis` before that, so
   * that a file which changes meanwhile is read again next time.
   */
  record(path: string, stamp: FileStamp, digest: Digest, takenAtMillis: number): void {
    const { columns } = this
    const place = columns.places.get(path) ?? columns.places.size
    columns.places.set(path, place)
    growTo(columns, place + 1)
    const settled = Math.max(stamp.mtimeMs, stamp.ctimeMs) + stampAgeMinMillis <= takenAtMillis
    const numbers = [settled ? stamp.size : untrustedSize, stamp.mtimeMs, stamp.ctimeMs, stamp.ino]
    columns.stamps.set(numbers, place * stampNumbers)
    columns.digests.write(hexOf(digest), place * digestBytes, "hex")
    this.whole = undefined
    this.changed = true
  }

  /** The digest of all together, if nothing was recorded or forgotten since it was remembered. */
  get wholeDigest(): Digest | undefined {
    return this.whole
  }

  rememberWhole(digest: Digest): void {
    if (this.whole === digest) return
    this.whole = digest
    this.changed = true
  }

  /** All that is remembered, trusted or not, in no particular order. */
  *files(): Generator<{ readonly path: string; readonly digest: Digest }> {
    const { digests, places } = this.columns
    for (const [path, place] of places) yield { path, digest: digestAt(digests, place * digestBytes) }
  }

  /** Forgets the files that are not among these. */
  keepOnly(paths: ReadonlySet<string>): void {
    const { digests, places, stamps } = this.columns
    if (places.size === paths.size && [...places.keys()].every((path) => paths.has(path))) return
    const kept = emptyColumns()
    growTo(kept, paths.size)
    for (const [path, place] of places) {
      if (!paths.has(path)) continue
      const next = kept.places.size
      kept.places.set(path, next)
      kept.stamps.set(stamps.subarray(place * stampNumbers, (place + 1) * stampNumbers), next * stampNumbers)
      digests.copy(kept.digests, next * digestBytes, place * digestBytes, (place + 1) * digestBytes)
    }
    this.columns = kept
    this.whole = undefined
    this.changed = true
  }

  /**
   * Writes what is remembered, if it is not what was loaded; readers see the old file or the new one, and of
   * two writers the last. Throws the system's error.
   */
  save(file: string): void {
    if (!this.changed) return
    const { digests, places, stamps } = this.columns
    const count = Buffer.alloc(8)
    count.writeDoubleLE(places.size)
    const bytes = Buffer.concat([
      magic,
      count,
      new Uint8Array(stamps.buffer, 0, places.size * stampBytes),
      digests.subarray(0, places.size * digestBytes),
      Buffer.from(this.whole === undefined ? "00".repeat(digestBytes) : hexOf(this.whole), "hex"),
      Buffer.from([...places.keys()].join("\0"))
    ])
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
}

/** Makes room for so many entries. */
const growTo = (columns: Columns, numPlaces: number): void => {
  if (columns.stamps.length >= numPlaces * stampNumbers) return
  const capacity = Math.max(numPlaces, (2 * columns.stamps.length) / stampNumbers, numPlacesMin)
  const stamps = new Float64Array(capacity * stampNumbers)
  stamps.set(columns.stamps)
  const digests = Buffer.alloc(capacity * digestBytes)
  columns.digests.copy(digests)
  columns.stamps = stamps
  columns.digests = digests
}

const readIfPresent = (file: string): Buffer | undefined => {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
