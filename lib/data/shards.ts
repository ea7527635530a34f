/**
 * Examples as tar shards in WebDataset's convention: the members of one example share the name before the
 * first dot (`000042.ppm`, `000042.cls`), and lie side by side.
 */
import { Effect, Result } from "effect"
import { FormatInvalid } from "./FormatInvalid.ts"
import { type ArchiveInvalid, readTar, type TarEntry } from "./tar.ts"
import { tarMemberBytes, writeTar } from "./tar-writer.ts"

/** Tried by hand: big enough that a store sees few objects, small enough to hold several in memory. */
export const shardBytesMax = 32 * 1024 * 1024

/** An image file as it came, and the index of its class. */
export interface LabelledImage {
  /** Its file name; a shard keeps the ending. */
  readonly name: string
  /** Where it came from, for messages about it; kept as the member `000042.path`. */
  readonly origin?: string
  readonly bytes: Uint8Array
  readonly label: number
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const keyOf = (index: number): string => String(index).padStart(6, "0")

const extensionOf = (name: string): string => name.slice(name.lastIndexOf(".") + 1).toLowerCase()

const entriesOf = (index: number, image: LabelledImage): ReadonlyArray<TarEntry> => [
  { name: `${keyOf(index)}.${extensionOf(image.name)}`, bytes: image.bytes },
  ...(image.origin === undefined
    ? []
    : [{ name: `${keyOf(index)}.path`, bytes: encoder.encode(image.origin) }]),
  { name: `${keyOf(index)}.cls`, bytes: encoder.encode(String(image.label)) }
]

const sizeOf = (entries: ReadonlyArray<TarEntry>): number =>
  entries.reduce((sum, { bytes }) => sum + tarMemberBytes(bytes.length), 0)

/** Collects images and gives out a shard whenever the next image would make it larger than `bytesMax`. */
export class ShardWriter {
  private entries: Array<TarEntry> = []
  private sizeBytes = 0
  private count = 0
  private readonly bytesMax: number

  constructor(bytesMax: number = shardBytesMax) {
    this.bytesMax = bytesMax
  }

  get numExamples(): number {
    return this.count
  }

  /** The shard that was full before this image, if it was. */
  add(image: LabelledImage): Uint8Array | undefined {
    const entries = entriesOf(this.count++, image)
    const size = sizeOf(entries)
    const full = this.entries.length > 0 && this.sizeBytes + size > this.bytesMax ? this.finish() : undefined
    this.entries.push(...entries)
    this.sizeBytes += size
    return full
  }

  /** What is left, as the last shard. */
  finish(): Uint8Array | undefined {
    if (this.entries.length === 0) return undefined
    const shard = writeTar(this.entries)
    this.entries = []
    this.sizeBytes = 0
    return shard
  }
}

const labelOf = (shard: string, { name, bytes }: TarEntry): Result.Result<number, FormatInvalid> => {
  const text = decoder.decode(bytes)
  return /^\d+$/.test(text)
    ? Result.succeed(Number(text))
    : Result.fail(
        new FormatInvalid({ file: `${shard}/${name}`, format: "class index", reason: `it says "${text}"` })
      )
}

/** The images of a shard in order; other members of an example (boxes, masks) are passed over. */
export const readShard = Effect.fnUntraced(function* (
  shard: string,
  bytes: Uint8Array
): Effect.fn.Return<ReadonlyArray<LabelledImage>, ArchiveInvalid | FormatInvalid> {
  const entries = yield* readTar(shard, bytes)
  const images = new Map<string, TarEntry & { readonly origin?: string }>()
  const examples: Array<LabelledImage> = []
  for (const entry of entries) {
    const dot = entry.name.indexOf(".")
    const [key, member] = [entry.name.slice(0, dot), entry.name.slice(dot + 1)]
    if (imageEndings.has(member)) images.set(key, entry)
    const image = images.get(key)
    if (member === "path" && image !== undefined) {
      images.set(key, { ...image, origin: decoder.decode(entry.bytes) })
    }
    if (member !== "cls") continue
    if (image === undefined) {
      const reason = `"${entry.name}" has no image before it`
      return yield* new FormatInvalid({ file: shard, format: "shard of images", reason })
    }
    examples.push({ ...image, label: yield* Effect.fromResult(labelOf(shard, entry)) })
  }
  return examples
})

/** Endings that are read as images, here and in folders. */
export const imageEndings: ReadonlySet<string> = new Set(["jpg", "jpeg", "png", "webp", "pgm", "ppm"])
