/**
 * Whether a teacher knows on its student's images what it knew when it was trained. Classes, size and
 * normalisation may agree on paper while the weights want something else: only a score tells that.
 */
import { Effect, Schema } from "effect"
import type { LabelledImages } from "../data/batches.ts"
import type { ImagesError, ShardedImages } from "../data/ShardedImages.ts"
import { shardStarts, windowShards } from "../data/sharded-order.ts"
import { topK } from "../metrics/top-k.ts"
import type { Weights } from "../nn/Weights.ts"
import { classifierLogits, type EvaluationOptions } from "./evaluate-classifier.ts"

/** Images of which the teacher's score is known or may be asked; never the test split. */
export type ScoredSplit = "validation" | "training"

const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`

/** The teacher sees these images as it should not, or is not what it was taken for. */
export class TeacherBelowScore extends Schema.TaggedError<TeacherBelowScore>()("TeacherBelowScore", {
  split: Schema.Literals(["validation", "training"]),
  numExamples: Schema.Int,
  top1: Schema.Number,
  /** What it scored, or as much as is clearly more than chance where nobody recorded it. */
  expected: Schema.Number,
  isRecorded: Schema.Boolean,
  margin: Schema.Number,
  /** Fields of preprocessing with whose other value it scores what it should. */
  suspects: Schema.Array(Schema.Struct({ field: Schema.String, value: Schema.String, top1: Schema.Number }))
}) {
  override get message() {
    const { isRecorded, margin, numExamples, split, suspects } = this
    const expected = isRecorded
      ? `it should find ${percent(this.expected)}, less ${percent(margin)} at most (teacherMargin)`
      : `more than ${percent(this.expected)} would be clearly above chance, and no score of its own is known`
    const found = suspects.map(
      ({ field, top1, value }) => `With another ${field} (${value}) it finds ${percent(top1)}.`
    )
    const nothing =
      "Classes, height, width, channels, fit, mean and std are the dataset's. What else may be wrong: the " +
      "order of the channels, how the teacher's images were resampled, the order of its labels, its weights."
    return (
      `The teacher finds ${percent(this.top1)} of ${numExamples} ${split} images as its student would see ` +
      `them; ${expected}. ${found.length > 0 ? found.join(" ") : nothing} Nothing was trained. Take the ` +
      "teacher's own preprocessing, or say in teacherTop1 what it scores on these images."
    )
  }
}

/** At most so many training images are scored, evenly spaced: files may be in the order of classes. */
const sampleSize = 2000

/** So many of `count` things, evenly spaced. */
const evenlySpaced = (count: number, size: number): ReadonlyArray<number> =>
  Array.from({ length: Math.min(count, size) }, (_, at) => Math.floor((at * count) / Math.min(count, size)))

/** The same of images in shards, as far as they need not all be read for it: each shard is a mixture. */
const sampleOfShards = (images: ShardedImages, size: number): Effect.Effect<LabelledImages, ImagesError> => {
  const { shardSizes } = images
  const starts = shardStarts(shardSizes)
  const seen = evenlySpaced(shardSizes.length, windowShards).flatMap((shard) =>
    Array.from({ length: shardSizes[shard]! }, (_, at) => starts[shard]! + at)
  )
  return images.copyOf(evenlySpaced(seen.length, size).map((at) => seen[at]!))
}

/** Every n-th image, so that there are at most `sampleSize`. */
export const scoringSample = (
  images: LabelledImages | ShardedImages,
  size = sampleSize
): Effect.Effect<LabelledImages, ImagesError> =>
  "images" in images ? Effect.succeed(sampleInMemory(images, size)) : sampleOfShards(images, size)

const sampleInMemory = (images: LabelledImages, size: number): LabelledImages => {
  const numExamples = images.labels.length
  if (numExamples <= size) return images
  const valuesPerImage = images.images.length / numExamples
  const chosen = evenlySpaced(numExamples, size)
  const pixels = new Uint8Array(size * valuesPerImage)
  for (const [slot, example] of chosen.entries()) {
    const from = example * valuesPerImage
    pixels.set(images.images.subarray(from, from + valuesPerImage), slot * valuesPerImage)
  }
  return { ...images, images: pixels, labels: Int32Array.from(chosen, (example) => images.labels[example]!) }
}

type Scored = EvaluationOptions & { readonly weights: Weights }

/** Top-1 of a classifier on a dataset, evaluated as in validation. */
export const classifierTop1 = (options: Scored) =>
  Effect.map(classifierLogits(options), (logits) => topK(logits, options.dataset.labels, 1))

export interface TeacherScoreOptions extends Scored {
  readonly split: ScoredSplit
  /** Its top-1 on such images, 0…1; undefined: nobody knows. */
  readonly recorded: number | undefined
  /** How much less is no reason to stop, 0…1. */
  readonly margin: number
}

/**
 * The teacher's top-1 on its student's images. Fails with `TeacherBelowScore` if that is less than it scored,
 * or where no score is recorded, not clearly more than chance.
 */
export const checkTeacherScore = Effect.fn("checkTeacherScore")(function* (options: TeacherScoreOptions) {
  const { dataset, margin, recorded, split } = options
  const numExamples = dataset.labels.length
  const top1 = yield* classifierTop1(options)
  const expected = recorded ?? clearlyAboveChance(dataset.labels)
  const least = recorded === undefined ? expected : expected - margin
  if (top1 >= least) return { numExamples, top1 }
  const suspects = yield* suspectsOf(options, least)
  const isRecorded = recorded !== undefined
  return yield* new TeacherBelowScore({ split, numExamples, top1, expected, isRecorded, margin, suspects })
})

/**
 * Three standard errors more than always naming the most frequent class, or halfway from there to 1 where so
 * few images tell nothing.
 */
const clearlyAboveChance = (labels: Int32Array): number => {
  const counts = new Map<number, number>()
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  const chance = Math.max(...counts.values()) / labels.length
  return Math.min(chance + 3 * Math.sqrt((chance * (1 - chance)) / labels.length), (1 + chance) / 2)
}

/** What networks are usually fed, where it is not pixels less the dataset's mean. */
const otherNormalizations = [
  { value: "0 to 1", mean: 0, std: 1 },
  { value: "-1 to 1", mean: 0.5, std: 0.5 },
  { value: "0 to 255", mean: 0, std: 1 / 255 },
  { value: "0 on average, 1 in deviation, as ImageNet's roughly", mean: 0.449, std: 0.226 }
]

/** Tries on a sample what is usually mistaken: the order of the channels, and mean and std. */
const suspectsOf = Effect.fnUntraced(function* (options: TeacherScoreOptions, least: number) {
  const dataset = yield* scoringSample(options.dataset, 500)
  const { mean, std } = options.normalization
  const normalized = otherNormalizations.map(({ value, ...own }) => ({
    field: "mean and std",
    value: `inputs of ${value}`,
    options: {
      ...options,
      dataset,
      normalization: { mean: mean.map(() => own.mean), std: std.map(() => own.std) }
    }
  }))
  const reversed = {
    field: "order of channels",
    value: "blue, green, red",
    options: {
      ...options,
      dataset: withReversedChannels(dataset),
      normalization: { mean: mean.toReversed(), std: std.toReversed() }
    }
  }
  const tried = dataset.channels === 3 ? [reversed, ...normalized] : normalized
  const scored = yield* Effect.forEach(tried, ({ field, options, value }) =>
    Effect.map(classifierTop1(options), (top1) => ({ field, value, top1 }))
  )
  return scored.filter(({ top1 }) => top1 >= least)
})

const withReversedChannels = (dataset: LabelledImages): LabelledImages => {
  const { channels, images } = dataset
  return {
    ...dataset,
    images: images.map((_, at) => images[at - (at % channels) + channels - 1 - (at % channels)]!)
  }
}
