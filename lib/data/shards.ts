/**
 * Examples as tar shards in WebDataset's convention: the members of one example share the name before the
 * first dot (`000042.ppm`, `000042.cls`), and lie side by side. What the data say of an image is a class
 * (`.cls`), boxes (`.boxes.json`) or a mask (`.mask.png`, `.mask.pgm`).
 */
import { Effect, Result, Schema } from "effect"
import { FormatInvalid } from "./FormatInvalid.ts"
import { type ArchiveInvalid, readTar, type TarEntry } from "./tar.ts"
import { tarMemberBytes, writeTar } from "./tar-writer.ts"

/** Tried by hand: big enough that a store sees few objects, small enough to hold several in memory. */
export const shardBytesMax = 32 * 1024 * 1024

/** An image file as it came. */
export interface ShardImage {
  /** Its file name; a shard keeps the ending. */
  readonly name: string
  /** Where it came from, for messages about it; kept as the member `000042.path`. */
  readonly origin?: string
  readonly bytes: Uint8Array
}

/** An image and the index of its class. */
export interface LabelledImage extends ShardImage {
  readonly label: number
}

/** Boxes as the data state them: perhaps beyond the image. */
export const Annotation = Schema.Struct({
  /** Pixels of the image that the boxes were drawn on; 0 where the data do not say. */
  height: Schema.Int,
  width: Schema.Int,
  boxes: Schema.Array(
    Schema.Struct({
      classIndex: Schema.Int,
      /** `[y1, x1, y2, x2]`, y2 and x2 behind the last pixel. */
      box: Schema.Tuple([Schema.Number, Schema.Number, Schema.Number, Schema.Number]),
      /** Neither to be learned nor to be missed. */
      difficult: Schema.Boolean
    })
  )
})
export type Annotation = typeof Annotation.Type

export interface BoxedImage extends ShardImage {
  readonly annotation: Annotation
}

/** An image and the file of its mask: class indices, one for each pixel. */
export interface MaskedImage extends ShardImage {
  readonly mask: { readonly name: string; readonly bytes: Uint8Array }
}

export type Example = LabelledImage | BoxedImage | MaskedImage

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const keyOf = (index: number): string => String(index).padStart(6, "0")

const extensionOf = (name: string): string => name.slice(name.lastIndexOf(".") + 1).toLowerCase()

const AnnotationJson = Schema.fromJsonString(Annotation)

/** What the data say of the image, as a member of the shard. */
const annotationEntry = (key: string, example: Example): TarEntry => {
  if ("label" in example) return { name: `${key}.cls`, bytes: encoder.encode(String(example.label)) }
  if ("mask" in example) {
    return { name: `${key}.mask.${extensionOf(example.mask.name)}`, bytes: example.mask.bytes }
  }
  const text = Schema.encodeSync(AnnotationJson)(example.annotation)
  return { name: `${key}.boxes.json`, bytes: encoder.encode(text) }
}

const entriesOf = (index: number, example: Example): ReadonlyArray<TarEntry> => {
  const key = keyOf(index)
  const { bytes, name, origin } = example
  const path = origin === undefined ? [] : [{ name: `${key}.path`, bytes: encoder.encode(origin) }]
  return [{ name: `${key}.${extensionOf(name)}`, bytes }, ...path, annotationEntry(key, example)]
}

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
  add(image: Example): Uint8Array | undefined {
    const entries = entriesOf(this.count++, image)
    const size = sizeOf(entries)
    const full = this.entries.length > 0 && this.sizeBytes + size > this.bytesMax ? this.finish() : undefined
    this.entries.push(...entries)
    this.sizeBytes += size
    return full
  }

  /** Counts an example that is kept elsewhere; gives out the shard before it. */
  skip(): Uint8Array | undefined {
    this.count++
    return this.finish()
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

/** The image of an example, and the member that says something of it. */
interface Found {
  readonly image: ShardImage
  readonly about: TarEntry
}

/** The examples of a shard that have a member of such an ending; their other members are passed over. */
const examplesWith = Effect.fnUntraced(function* (
  shard: string,
  bytes: Uint8Array,
  endings: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<Found>, ArchiveInvalid | FormatInvalid> {
  const images = new Map<string, ShardImage>()
  const found: Array<Found> = []
  for (const entry of yield* readTar(shard, bytes)) {
    const dot = entry.name.indexOf(".")
    const [key, ending] = [entry.name.slice(0, dot), entry.name.slice(dot + 1)]
    if (imageEndings.has(ending)) images.set(key, entry)
    const image = images.get(key)
    if (ending === "path" && image !== undefined) {
      images.set(key, { ...image, origin: decoder.decode(entry.bytes) })
    }
    if (!endings.includes(ending)) continue
    if (image === undefined) {
      const reason = `"${entry.name}" has no image before it`
      return yield* new FormatInvalid({ file: shard, format: "shard of images", reason })
    }
    found.push({ image, about: entry })
  }
  return found
})

const labelOf = (shard: string, { name, bytes }: TarEntry): Result.Result<number, FormatInvalid> => {
  const text = decoder.decode(bytes)
  return /^\d+$/.test(text)
    ? Result.succeed(Number(text))
    : Result.fail(
        new FormatInvalid({ file: `${shard}/${name}`, format: "class index", reason: `it says "${text}"` })
      )
}

const annotationOf = (shard: string, { name, bytes }: TarEntry): Result.Result<Annotation, FormatInvalid> =>
  Schema.decodeUnknownResult(AnnotationJson)(decoder.decode(bytes)).pipe(
    Result.mapError(
      (error) => new FormatInvalid({ file: `${shard}/${name}`, format: "boxes", reason: error.message })
    )
  )

/** The images of a shard and their classes, in order. */
export const readShard = (shard: string, bytes: Uint8Array) =>
  Effect.flatMap(examplesWith(shard, bytes, ["cls"]), (found) =>
    Effect.forEach(found, ({ about, image }) =>
      Effect.map(Effect.fromResult(labelOf(shard, about)), (label): LabelledImage => ({ ...image, label }))
    )
  )

/** The images of a shard and their boxes, in order. */
export const readBoxShard = (shard: string, bytes: Uint8Array) =>
  Effect.flatMap(examplesWith(shard, bytes, ["boxes.json"]), (found) =>
    Effect.forEach(found, ({ about, image }) =>
      Effect.map(
        Effect.fromResult(annotationOf(shard, about)),
        (annotation): BoxedImage => ({ ...image, annotation })
      )
    )
  )

/** The images of a shard and their masks, in order. */
export const readMaskShard = (shard: string, bytes: Uint8Array) =>
  Effect.map(examplesWith(shard, bytes, ["mask.png", "mask.pgm"]), (found) =>
    found.map(({ about, image }): MaskedImage => ({ ...image, mask: about }))
  )

/** Endings that are read as images, here and in folders. */
export const imageEndings: ReadonlySet<string> = new Set(["jpg", "jpeg", "png", "webp", "pgm", "ppm"])
