/**
 * Batches from a dataset in memory or in shards. Order and augmentation are functions of (seed, epoch,
 * example) alone: any batch can be made at any time, by anyone, so resuming in the middle of an epoch changes
 * nothing.
 */
import type { Effect } from "effect"
import { type LabelSmoothing, writeTargets } from "../losses/targets.ts"
import type { Feeds, TensorSpec } from "../tensor/Runtime.ts"
import { RandomStream } from "../tensor/random.ts"
import type { Augment } from "./augment/Augment.ts"
import { imageAugmenter } from "./augment/augment-image.ts"
import { type Normalization, normalizeInto } from "./augment/normalization.ts"
import type { FrameSize } from "./augment/pad-crop-flip.ts"
import { type Dropout, writeKept } from "./dropout.ts"
import { type ImageSizes, largestSize, sizeInEpoch } from "./image-sizes.ts"
import { type Mixing, makeMixer } from "./mixing.ts"
import type { ImagesError, ShardedImages } from "./ShardedImages.ts"
import { shardedOrder, shardSequence } from "./sharded-order.ts"
import { type StochasticDepth, writeKeptBlocks } from "./stochastic-depth.ts"

/** Images of one size, whatever is known of them besides. */
export interface Images {
  /** `[N, H, W, C]`, 0…255 */
  readonly images: Uint8Array
  readonly height: number
  readonly width: number
  readonly channels: number
}

export interface LabelledImages extends Images {
  /** Class ids `[N]`. */
  readonly labels: Int32Array
}

/** What a step's batch is for. */
export interface BatchPosition {
  readonly epoch: number
  readonly step: number
}

/** What a training loop needs to know of its data: how many steps, and how to make any batch. */
export interface TrainingBatches<I extends string> {
  readonly numExamples: number
  readonly batchSize: number
  readonly stepsPerEpoch: number
  readonly inputs: { readonly [K in I]: TensorSpec }
  /**
   * Inputs that have another shape in an epoch than `inputs` says: their values stand first in their
   * arrays.
   */
  readonly shapesIn?: (epoch: number) => { readonly [K in I]?: ReadonlyArray<number> }
  /** Brings here what the batch of a step is made of, and asks for what follows; absent: all is here. */
  readonly ready?: (position: BatchPosition) => Effect.Effect<void, ImagesError>
  /** Writes the batch of a step into `feeds` (arrays of the inputs' sizes); pure but for that. */
  readonly fill: (position: BatchPosition, feeds: Feeds<I>) => void
}

export interface ClassificationBatchesOptions extends LabelSmoothing {
  readonly dataset: LabelledImages | ShardedImages
  readonly normalization: Normalization
  readonly numClasses: number
  readonly batchSize: number
  readonly seed: number
  /** How images and targets are mixed; absent: not. */
  readonly mixing?: Mixing | undefined
  /** Of the network's input; that of the images where left out. */
  readonly inputSize?: FrameSize | undefined
  readonly augment: Augment
  /** Epochs that see images of another size than the input's; absent: none. */
  readonly imageSizes?: ImageSizes | null | undefined
  /** What the classifier drops. */
  readonly dropout?: Dropout | undefined
  /** Which blocks it skips. */
  readonly depth?: StochasticDepth | undefined
}

/**
 * Shuffled, augmented batches of `images` `[N, H, W, C]` and `targets` `[N, K]`, with dropout also of
 * `kept` `[N, F]`, with stochastic depth of `keptBlocks` `[N, B]`. The last partial batch of an epoch is
 * left out (another order brings its images back in the next).
 */
export const classificationBatches = (
  options: ClassificationBatchesOptions
): TrainingBatches<"images" | "targets"> => {
  const { batchSize, dataset, depth, dropout, imageSizes, numClasses, seed } = options
  const { channels } = dataset
  const frame = options.inputSize ?? dataset
  const largest = largestSize(imageSizes, frame)
  const sizes = "shardSizes" in dataset ? dataset.shardSizes : [dataset.labels.length]
  const orderOf = shardedOrder(sizes, seed)
  const labels = new Int32Array(batchSize)
  const augmenterOf = augmenters(options, frame)
  const dropping = RandomStream.make(seed, "dropout")
  const mix = options.mixing && makeMixer(options.mixing, RandomStream.make(seed, "mixing"))
  const skipping = RandomStream.make(seed, "stochastic-depth")
  const shapeOf = ({ height, width }: FrameSize) => [batchSize, height, width, channels]
  return {
    batchSize,
    numExamples: dataset.labels.length,
    stepsPerEpoch: Math.floor(dataset.labels.length / batchSize),
    inputs: {
      images: { shape: shapeOf(largest), dtype: "float32" },
      targets: { shape: [batchSize, numClasses], dtype: "float32" },
      ...(dropout && { kept: { shape: [batchSize, dropout.numFeatures], dtype: "float32" } }),
      ...(depth && { keptBlocks: { shape: [batchSize, depth.numBlocks], dtype: "float32" } })
    },
    ...(imageSizes && {
      shapesIn: (epoch: number) => ({ images: shapeOf(sizeInEpoch(imageSizes, frame, epoch)) })
    }),
    ...("shardSizes" in dataset && { ready: holding(dataset, orderOf, options) }),
    fill: ({ epoch, step }, feeds: Feeds<"images" | "targets"> & Partial<Feeds<"kept" | "keptBlocks">>) => {
      const examples = orderOf(epoch).examples.subarray(step * batchSize, (step + 1) * batchSize)
      const { height, width } = sizeInEpoch(imageSizes, frame, epoch)
      const valuesPerImage = height * width * channels
      const augment = augmenterOf({ height, width })(epoch)
      const images = (feeds.images as Float32Array).subarray(0, batchSize * valuesPerImage)
      for (const [slot, example] of examples.entries()) {
        labels[slot] = dataset.labels[example]!
        augment(example, images.subarray(slot * valuesPerImage, (slot + 1) * valuesPerImage))
      }
      const targets = feeds.targets as Float32Array
      writeTargets(targets, labels, numClasses, options)
      mix?.({ epoch, step }, { images, targets, examples, height, width })
      if (dropout) writeKept(feeds.kept as Float32Array, examples, dropout, dropping.derive(epoch))
      if (depth) writeKeptBlocks(feeds.keptBlocks as Float32Array, examples, depth, skipping.derive(epoch))
    }
  }
}

/** Shards that are read before they are needed: one while another is hashed. */
const shardsAhead = 2

/** Holds the window of a step's batch, and asks for what comes behind it, in the next epoch too. */
const holding =
  (
    dataset: ShardedImages,
    orderOf: ReturnType<typeof shardedOrder>,
    { batchSize, seed }: ClassificationBatchesOptions
  ): Required<TrainingBatches<never>>["ready"] =>
  ({ epoch, step }) => {
    const { shards, windowOf } = orderOf(epoch)
    const { end, first } = windowOf(step * batchSize, (step + 1) * batchSize)
    const ahead = [...shards.subarray(end, end + shardsAhead)]
    const isLast = ahead.length < shardsAhead && end - first < shards.length
    const following = isLast ? shardSequence(shards.length, seed, epoch + 1) : []
    return dataset.hold(shards.subarray(first, end), [...ahead, ...following].slice(0, shardsAhead))
  }

/** One for each size that is asked for. */
const augmenters = (options: ClassificationBatchesOptions, frame: FrameSize) => {
  const made = new Map<string, ReturnType<typeof imageAugmenter>>()
  return (size: FrameSize) => {
    const key = `${size.height} ${size.width}`
    const known = made.get(key) ?? imageAugmenter({ ...options, frame, size })
    made.set(key, known)
    return known
  }
}

/** A batch of consecutive examples: `start` … `start + count - 1`. */
export interface EvaluationBatch {
  readonly start: number
  readonly count: number
}

/** Consecutive batches over all examples; the last one may be short. */
export const evaluationBatches = (examples: number, batchSize: number): ReadonlyArray<EvaluationBatch> =>
  Array.from({ length: Math.ceil(examples / batchSize) }, (_, index) => ({
    start: index * batchSize,
    count: Math.min(batchSize, examples - index * batchSize)
  }))

/**
 * Writes the images of a batch into `output` `[batch size, H, W, C]`, normalised and not augmented; of images
 * larger than `frame`, which is H x W, the middle. Rows past `count` keep what they held: the caller ignores
 * what comes of them.
 */
export const fillEvaluationBatch = (
  dataset: Images,
  { start, count }: EvaluationBatch,
  table: Float32Array,
  output: Float32Array,
  frame: FrameSize = dataset
): void => {
  const { channels, height, images, width } = dataset
  const valuesPerImage = frame.height * frame.width * channels
  const top = Math.floor((height - frame.height) / 2)
  const left = Math.floor((width - frame.width) / 2)
  for (let slot = 0; slot < count; slot++) {
    for (let row = 0; row < frame.height; row++) {
      const at = slot * valuesPerImage + row * frame.width * channels
      const from = (((start + slot) * height + top + row) * width + left) * channels
      normalizeInto(output.subarray(at, at + frame.width * channels), images, from, channels, table)
    }
  }
}
