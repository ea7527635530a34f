/** Splits that `preprocess` writes as shards, because they are more than training holds of them at a time. */
import { Effect } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import type { Normalization } from "./augment/normalization.ts"
import { ChannelHistograms } from "./channel-statistics.ts"
import { imageBytes, paddingColour, type Target } from "./fit-image.ts"
import type { Prepared } from "./prepare-example.ts"
import type { FinishedSplit, Keeper, StartedSplit } from "./preparing-state.ts"
import { type Reading, type ReadingPosition, readExamples, type TaskData } from "./read-examples.ts"
import { ShardedWriter } from "./ShardedWriter.ts"
import { windowShards } from "./sharded-order.ts"
import type { ShardImage } from "./shards.ts"
import { StratifiedCut } from "./stratified-split.ts"

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

/** Whether so many images are more than a window of shards. What is not lies in memory, as one blob. */
export const exceedsWindow = (count: number, target: Target, { shardBytes }: ShardBounds): boolean =>
  count * imageBytes(target) > windowShards * shardBytes

type LabelledReading<X extends ShardImage, A, E> = Reading<X, A, E> & { readonly data: Labelled<X, A, E> }

export interface Sharding<E, R> {
  readonly bounds: ShardBounds
  readonly keeper: Keeper<E, R>
}

interface Writing {
  /** Per channel, 0…1: the colour of padding. */
  readonly mean: ReadonlyArray<number>
  /** The fraction of each class that is set aside. */
  readonly validation: number
  readonly isMeasured: boolean
}

/** Writes a split, or what an earlier attempt has left of it. */
const writeSplit = Effect.fnUntraced(function* <X extends ShardImage, A, E, E2, R>(
  reading: LabelledReading<X, A, E>,
  { bounds, keeper }: Sharding<E2, R>,
  { isMeasured, mean, validation }: Writing
) {
  const { data, name, target } = reading
  const store = yield* BlobStore
  const { shardBytes } = bounds
  const from = keeper.started(name)
  const cut = new StratifiedCut(validation, from?.cut)
  const histograms = new ChannelHistograms(target.channels, from?.histograms)
  const [kept, taken] = [0, 1].map((at) => {
    const options = { store, size: target, shardBytes, paddingColour: paddingColour(mean) }
    return new ShardedWriter(options, from?.writers[at])
  }) as [ShardedWriter, ShardedWriter]
  const use = (example: Prepared<A>) => {
    const label = data.labelOf(example.about)
    if (cut.takes(label)) return taken.add(example, label)
    if (isMeasured) histograms.countImage(example, target.width)
    return kept.add(example, label)
  }
  const stateAt = (position: ReadingPosition): StartedSplit => ({
    ...{ name, position, mean, histograms: histograms.values, cut: cut.state },
    writers: [kept.state, taken.state]
  })
  const stops = {
    from: from?.position,
    between: (position: ReadingPosition) => keeper.keep(() => stateAt(position))
  }
  const quarantined = yield* readExamples(reading, use, stops)
  const made: FinishedSplit = {
    split: yield* kept.finish(),
    taken: validation === 0 ? null : yield* taken.finish(),
    statistics: isMeasured ? histograms.statistics : null,
    quarantined
  }
  yield* keeper.finish(name, made)
  return made
})

/** A split in the order of its images. */
export const inShards = Effect.fnUntraced(function* <X extends ShardImage, A, E, E2, R>(
  reading: LabelledReading<X, A, E>,
  sharding: Sharding<E2, R>,
  mean: ReadonlyArray<number>
) {
  const writing = { mean, validation: 0, isMeasured: false }
  return sharding.keeper.finished(reading.name) ?? (yield* writeSplit(reading, sharding, writing))
})

/** Of the images that `writeSplit` keeps. */
const meanOf = Effect.fnUntraced(function* <X extends ShardImage, A, E, E2, R>(
  reading: LabelledReading<X, A, E>,
  { keeper }: Sharding<E2, R>,
  validation: number
) {
  const { data, target } = reading
  const cut = new StratifiedCut(validation)
  const histograms = new ChannelHistograms(target.channels)
  const use = (example: Prepared<A>) =>
    Effect.sync(() => {
      if (!cut.takes(data.labelOf(example.about))) histograms.countImage(example, target.width)
    })
  yield* readExamples(reading, use, { between: () => keeper.keep(undefined) })
  return histograms.statistics.mean
})

/**
 * The training split, mixed: what comes class by class would else be seen class by class, a window of shards
 * at a time. So many of each class are set aside for validation; the rest is measured. Padding has the mean
 * colour, so where it is neither given nor to be known beforehand, all images are read twice.
 */
export const trainInShards = Effect.fnUntraced(function* <X extends ShardImage, A, E, E2, R>(
  reading: LabelledReading<X, A, E>,
  sharding: Sharding<E2, R>,
  { given, validation }: { readonly given: Normalization | undefined; readonly validation: number }
) {
  const { name, target } = reading
  const { bounds, keeper } = sharding
  const mixed = { ...reading, mixedBytes: bounds.mixedBytes }
  const black = Array.from({ length: target.channels }, () => 0)
  const isUnknown = given === undefined && target.fit === "pad"
  const known = keeper.started(name)?.mean ?? given?.mean
  const writing = Effect.fnUntraced(function* () {
    const mean = known ?? (isUnknown ? yield* meanOf(mixed, sharding, validation) : black)
    return yield* writeSplit(mixed, sharding, { mean, validation, isMeasured: given === undefined })
  })
  const made = keeper.finished(name) ?? (yield* writing())
  const { quarantined, split, statistics, taken } = made
  return {
    statistics: given ?? statistics!,
    quarantined,
    train: split,
    validation: taken ?? undefined
  }
})
