/** Splits that `preprocess` writes as shards, because they are more than training holds of them at a time. */
import { Effect } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import type { Normalization } from "./augment/normalization.ts"
import { ChannelHistograms } from "./channel-statistics.ts"
import { paddingColour, type Target } from "./fit-image.ts"
import type { Prepared } from "./prepare-example.ts"
import { type Reading, readExamples, type TaskData } from "./read-examples.ts"
import { ShardedWriter } from "./ShardedWriter.ts"
import { windowShards } from "./sharded-order.ts"
import type { ShardImage } from "./shards.ts"
import { stratifiedCut } from "./stratified-split.ts"

/**
 * What is in memory at a time. No param: it shapes what is written, so it is a constant of the code, which
 * is in the key; nobody has a reason to choose. Tests have another.
 */
export interface ShardBounds {
  /** Raw pixels of a shard. */
  readonly shardBytes: number
  /** Ingested images that are mixed with one another. */
  readonly mixedBytes: number
}

/**
 * A shard is so large that neither a disk nor a network minds where the next one lies, and eight of them, a
 * window, fit into the memory of any machine that trains.
 */
export const usualBounds: ShardBounds = { shardBytes: 2 ** 28, mixedBytes: 2 ** 30 }

type Labelled<X extends ShardImage, A, E> = TaskData<X, A, E> & Required<Pick<TaskData<X, A, E>, "labelOf">>

export const isLabelled = <X extends ShardImage, A, E>(data: TaskData<X, A, E>): data is Labelled<X, A, E> =>
  data.labelOf !== undefined

export const imageBytes = ({ channels, height, width }: Target): number => height * width * channels

/** Whether so many images are more than a window of shards. What is not lies in memory, as one blob. */
export const exceedsWindow = (count: number, target: Target, { shardBytes }: ShardBounds): boolean =>
  count * imageBytes(target) > windowShards * shardBytes

type LabelledReading<X extends ShardImage, A, E> = Reading<X, A, E> & { readonly data: Labelled<X, A, E> }

const writerOf = Effect.fnUntraced(function* <X extends ShardImage, A, E>(
  { data, target }: LabelledReading<X, A, E>,
  { shardBytes }: ShardBounds,
  mean: ReadonlyArray<number>
) {
  const { encode, labelOf } = data
  const store = yield* BlobStore
  const { height, width, channels } = target
  const size = { height, width, channels }
  return new ShardedWriter<A>({
    store,
    size,
    shardBytes,
    labelOf,
    encode,
    paddingColour: paddingColour(mean)
  })
})

/** A split in the order of its images. */
export const inShards = Effect.fnUntraced(function* <X extends ShardImage, A, E>(
  reading: LabelledReading<X, A, E>,
  bounds: ShardBounds,
  mean: ReadonlyArray<number>
) {
  const writer = yield* writerOf(reading, bounds, mean)
  const quarantined = yield* readExamples(reading, writer.add)
  return { split: yield* writer.finish(), quarantined }
})

/**
 * The training split, mixed: what comes class by class would else be seen class by class, a window of shards
 * at a time. So many of each class are set aside for validation; the rest is measured. Padding has the mean
 * colour, so where it is neither given nor to be known beforehand, all images are read twice.
 */
export const trainInShards = Effect.fnUntraced(function* <X extends ShardImage, A, E>(
  reading: LabelledReading<X, A, E>,
  bounds: ShardBounds,
  { given, validation }: { readonly given: Normalization | undefined; readonly validation: number }
) {
  const { data, target } = reading
  const mixed = { ...reading, mixedBytes: bounds.mixedBytes }
  const pass = Effect.fnUntraced(function* (
    writers?: Readonly<Record<"train" | "validation", ShardedWriter<A>>>
  ) {
    const isTaken = stratifiedCut(validation)
    const histograms = new ChannelHistograms(target.channels)
    const quarantined = yield* readExamples(mixed, (example: Prepared<A>) => {
      const taken = isTaken(data.labelOf(example.about))
      if (!taken) histograms.countImage(example, target.width)
      return writers?.[taken ? "validation" : "train"].add(example) ?? Effect.void
    })
    return { statistics: given ?? histograms.statistics, quarantined }
  })
  const black = Array.from({ length: target.channels }, () => 0)
  const mean = given?.mean ?? (target.fit === "pad" ? (yield* pass()).statistics.mean : black)
  const writers = {
    train: yield* writerOf(reading, bounds, mean),
    validation: yield* writerOf(reading, bounds, mean)
  }
  return {
    ...(yield* pass(writers)),
    train: yield* writers.train.finish(),
    validation: validation === 0 ? undefined : yield* writers.validation.finish()
  }
})
