import { Effect, Result } from "effect"
import { channelStatistics } from "../lib/data/channel-statistics.ts"
import { DatasetInvalid } from "../lib/data/DatasetInvalid.ts"
import { ImageCodec, type ImageUnreadable } from "../lib/data/ImageCodec.ts"
import { encodeLabelledImages } from "../lib/data/labelled-images.ts"
import { type LabelledImage, readShard } from "../lib/data/shards.ts"
import { stratifiedSplit } from "../lib/data/stratified-split.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { RandomStream } from "../lib/tensor/random.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ImageDatasetValue, PreparedDatasetValue, Split } from "./artifacts.ts"
import type { PreprocessParams } from "./preprocess.ts"

type Params = typeof PreprocessParams.Type

/** Decoded images `[N, H, W, C]` and their class indices `[N]`. */
interface Pixels {
  readonly images: Uint8Array
  readonly labels: Int32Array
}

type Quarantine = ImageDatasetValue["quarantined"]

/** Decodes in flight at once: enough to keep a few decoding threads busy. */
const decodesAtOnce = 8

const decodeOne = Effect.fnUntraced(function* (image: LabelledImage, params: Params) {
  const codec = yield* ImageCodec
  const decoded = yield* codec.decode(image.name, image.bytes, params.channels)
  return yield* codec.resize(decoded, params.height, params.width)
})

/** Which examples of a split are used: all, or `limit` of them chosen by the seed. */
const selection = (name: string, count: number, { limit, seed }: Params): ((index: number) => boolean) => {
  if (limit === null || limit >= count) return () => true
  const chosen = new Set(RandomStream.make(seed, "limit", name).permutation(count).subarray(0, limit))
  return (index) => chosen.has(index)
}

/** Collects decoded images until the split is read; the unreadable ones are listed instead. */
class PixelCollector {
  readonly quarantined: Array<Quarantine[number]> = []
  private readonly images: Uint8Array
  private readonly labels: Int32Array
  private readonly sizePerImage: number
  private count = 0

  constructor(capacity: number, sizePerImage: number) {
    this.images = new Uint8Array(capacity * sizePerImage)
    this.labels = new Int32Array(capacity)
    this.sizePerImage = sizePerImage
  }

  add(pixels: Uint8Array, label: number): void {
    this.images.set(pixels, this.count * this.sizePerImage)
    this.labels[this.count++] = label
  }

  get pixels(): Pixels {
    return {
      images: this.images.subarray(0, this.count * this.sizePerImage),
      labels: this.labels.subarray(0, this.count)
    }
  }
}

const readSplit = Effect.fnUntraced(function* (name: string, split: Split, params: Params) {
  const store = yield* BlobStore
  const job = yield* JobContext
  const isSelected = selection(name, split.numExamples, params)
  const capacity = Math.min(split.numExamples, params.limit ?? split.numExamples)
  const collector = new PixelCollector(capacity, params.height * params.width * params.channels)
  let seen = 0
  for (const shard of split.shards) {
    const examples = yield* readShard(shard.blob, yield* store.get(shard))
    const selected = examples.filter((_, index) => isSelected(seen + index))
    seen += examples.length
    const outcomes = yield* Effect.forEach(selected, (image) => Effect.result(decodeOne(image, params)), {
      concurrency: decodesAtOnce
    })
    outcomes.forEach((outcome: Result.Result<{ readonly pixels: Uint8Array }, ImageUnreadable>, index) => {
      const image = selected[index]!
      if (Result.isSuccess(outcome)) collector.add(outcome.success.pixels, image.label)
      else {
        const file = image.origin ?? `${name}/${image.name}`
        collector.quarantined.push({ file, reason: outcome.failure.reason })
      }
    })
    yield* job.report({ phase: name, done: seen, total: split.numExamples, unit: "images", facts: {} })
  }
  yield* checkQuarantine(name, capacity, collector.quarantined, params)
  return collector
})

const checkQuarantine = (name: string, count: number, quarantined: Quarantine, { maxUnreadable }: Params) => {
  const found = quarantined.length / count
  if (found <= maxUnreadable && quarantined.length < count) return Effect.void
  const [first] = quarantined
  const reason =
    first === undefined
      ? "it has no images"
      : `${quarantined.length} of ${count} images are unreadable, more than the fraction ${maxUnreadable} ` +
        `that "maxUnreadable" allows (first: ${first.file}: ${first.reason})`
  return Effect.fail(new DatasetInvalid({ dataset: name, reason }))
}

const pick = (pixels: Pixels, indices: Int32Array, sizePerImage: number): Pixels => {
  const images = new Uint8Array(indices.length * sizePerImage)
  indices.forEach((index, position) => {
    images.set(
      pixels.images.subarray(index * sizePerImage, (index + 1) * sizePerImage),
      position * sizePerImage
    )
  })
  return { images, labels: Int32Array.from(indices, (index) => pixels.labels[index]!) }
}

const writeSplit = Effect.fnUntraced(function* (pixels: Pixels, { height, width, channels }: Params) {
  const bytes = encodeLabelledImages({ ...pixels, height, width, channels })
  return { numExamples: pixels.labels.length, tensors: yield* (yield* BlobStore).put(bytes) }
})

const splitNamed = (dataset: ImageDatasetValue, name: string) => {
  const split = dataset.splits[name]
  const reason = `it has no split "${name}", only ${Object.keys(dataset.splits).join(", ")}`
  return split === undefined
    ? Effect.fail(new DatasetInvalid({ dataset: "preprocess input", reason }))
    : Effect.succeed(split)
}

/** Validation is the source's own split where it has one, otherwise cut from train; none at fraction 0. */
const trainAndValidation = Effect.fnUntraced(function* (dataset: ImageDatasetValue, params: Params) {
  const train = yield* readSplit("train", yield* splitNamed(dataset, "train"), params)
  const own = dataset.splits.validation
  const { quarantined, pixels } = train
  if (params.validation === 0) return { train: pixels, validation: null, quarantined }
  if (own !== undefined) {
    const validation = yield* readSplit("validation", own, params)
    return {
      train: pixels,
      validation: validation.pixels,
      quarantined: [...quarantined, ...validation.quarantined]
    }
  }
  const { kept, taken } = stratifiedSplit(pixels.labels, params.validation, params.seed)
  const size = params.height * params.width * params.channels
  return { train: pick(pixels, kept, size), validation: pick(pixels, taken, size), quarantined }
})

export const run = Effect.fn("preprocess")(function* ({
  params,
  inputs
}: {
  readonly params: Params
  readonly inputs: { readonly dataset: ImageDatasetValue }
}) {
  const { dataset } = inputs
  const { train, validation, quarantined } = yield* trainAndValidation(dataset, params)
  const test = yield* readSplit("test", yield* splitNamed(dataset, "test"), params)
  const { height, width, channels } = params
  const unreadable = [...quarantined, ...test.quarantined]
  if (unreadable.length > 0) {
    yield* (yield* JobContext).note(`${unreadable.length} unreadable images were left out: see "quarantined"`)
  }
  return {
    _tag: "PreparedDataset",
    task: "classification",
    classes: dataset.classes,
    preprocessing: { height, width, channels, ...channelStatistics(train.images, channels) },
    train: yield* writeSplit(train, params),
    validation: validation === null ? null : yield* writeSplit(validation, params),
    test: yield* writeSplit(test.pixels, params),
    quarantined: [...dataset.quarantined, ...unreadable]
  } satisfies PreparedDatasetValue
})
