/** What `preprocess` reads: the examples of a split, decoded and at one size, one after another. */
import { Effect, Result } from "effect"
import { type BlobRef, BlobStore } from "../storage/BlobStore.ts"
import { RandomStream } from "../tensor/random.ts"
import type { Target } from "./fit-image.ts"
import type { ImageCodec } from "./ImageCodec.ts"
import { limitExamples } from "./limit-examples.ts"
import { mixedGroups } from "./mixed-groups.ts"
import type { PreparedImages } from "./PreparedImages.ts"
import type { Prepared } from "./prepare-example.ts"
import { checkSetAside, type SetAside } from "./set-aside.ts"
import type { ShardImage } from "./shards.ts"

/** A tar shard, or one file as it is, with what the members beside it would say. */
export interface IngestedShard extends BlobRef {
  readonly single?: { readonly name: string; readonly origin: string; readonly label: number }
}

/** Images of a split as they were ingested, in order. */
export interface IngestedSplit {
  readonly numExamples: number
  readonly shards: ReadonlyArray<IngestedShard>
}

/** What one task does with a split: `X` is an example as it was ingested, `A` what is known of its image. */
export interface TaskData<X extends ShardImage, A, E> {
  readonly read: (shard: IngestedShard, bytes: Uint8Array) => Effect.Effect<ReadonlyArray<X>, E>
  readonly prepare: (
    example: X,
    target: Target
  ) => Effect.Effect<Prepared<A>, { readonly reason: string }, ImageCodec>
  /** Its class, for tasks where there is one: of these a large split may be shards. */
  readonly labelOf?: (about: A) => number
  readonly encode: (split: PreparedImages<A>) => Uint8Array
}

export interface Reading<X extends ShardImage, A, E> {
  readonly data: TaskData<X, A, E>
  readonly name: string
  readonly split: IngestedSplit
  /** What is stored of every image. */
  readonly target: Target
  /** At most so many examples, chosen by the seed; null takes all. */
  readonly limit: number | null
  readonly seed: number
  /** A larger fraction than this that cannot be used is an error. */
  readonly maxUnreadable: number
  /** Told of examples that are done. */
  readonly onProgress: (done: number) => Effect.Effect<void>
  /** Shards of so many bytes in all are read together and their images mixed; absent: all in their order. */
  readonly mixedBytes?: number | undefined
}

/** Between two groups of shards: what was handed out, and what is the same whoever reads on from here. */
export interface ReadingPosition {
  /** Groups that are done. */
  readonly groups: number
  /** Examples in them. */
  readonly seen: number
  readonly quarantined: ReadonlyArray<SetAside>
}

export interface ReadingStops<E, R> {
  readonly from?: ReadingPosition | undefined
  /** Called between groups. */
  readonly between: (position: ReadingPosition) => Effect.Effect<void, E, R>
}

/** Decodes in flight at once: enough to keep a few decoding threads busy. */
const decodesAtOnce = 8

/** Decoded images that wait for one another, at most. */
const decodedBytesMax = 2 ** 26

/** Examples of the split that are asked for. */
export const capacityOf = ({ numExamples }: IngestedSplit, limit: number | null): number =>
  Math.min(numExamples, limit ?? numExamples)

/** The numbers of the shards' first examples. All are read for it: nothing else says how many they hold. */
const firstExamples = Effect.fnUntraced(function* <X extends ShardImage, A, E>({
  data,
  split
}: Reading<X, A, E>) {
  const store = yield* BlobStore
  const firsts: Array<number> = []
  let seen = 0
  for (const shard of split.shards) {
    firsts.push(seen)
    seen += shard.single === undefined ? (yield* data.read(shard, yield* store.get(shard))).length : 1
  }
  return firsts
})

/** The shards that are read together, and what mixes their examples. */
const planReading = Effect.fnUntraced(function* <X extends ShardImage, A, E>(reading: Reading<X, A, E>) {
  const { limit, mixedBytes, name, seed, split } = reading
  if (mixedBytes === undefined) {
    return { groups: split.shards.map((_, at) => [at]), firsts: undefined, mixing: undefined }
  }
  const mixing = RandomStream.make(seed, "mixing", name)
  const sizesBytes = split.shards.map(({ sizeBytes }) => sizeBytes)
  const isLimited = capacityOf(split, limit) < split.numExamples
  return {
    groups: mixedGroups(sizesBytes, mixedBytes, mixing.derive("shards")),
    firsts: isLimited ? yield* firstExamples(reading) : undefined,
    mixing
  }
})

const chunksOf = <X>(examples: ReadonlyArray<X>, { channels, height, width }: Target) => {
  const size = Math.max(decodesAtOnce, Math.floor(decodedBytesMax / (height * width * channels)))
  return Array.from({ length: Math.ceil(examples.length / size) }, (_, at) =>
    examples.slice(at * size, (at + 1) * size)
  )
}

/** Hands each usable example to `use`; what cannot be used is left out and returned. */
export const readExamples = Effect.fnUntraced(function* <
  X extends ShardImage,
  A,
  E,
  E2,
  R,
  E3 = never,
  R3 = never
>(
  reading: Reading<X, A, E>,
  use: (prepared: Prepared<A>) => Effect.Effect<void, E2, R>,
  { between, from }: ReadingStops<E3, R3> = { between: () => Effect.void }
) {
  const { data, limit, name, split, target } = reading
  const store = yield* BlobStore
  const { firsts, groups, mixing } = yield* planReading(reading)
  const isSelected = limitExamples(name, split.numExamples, reading)
  const quarantined: Array<SetAside> = [...(from?.quarantined ?? [])]
  const prepareAll = Effect.fnUntraced(function* (examples: ReadonlyArray<X>) {
    const outcomes = yield* Effect.forEach(examples, (one) => Effect.result(data.prepare(one, target)), {
      concurrency: decodesAtOnce
    })
    for (const [index, outcome] of outcomes.entries()) {
      const { name: file, origin = `${name}/${file}` } = examples[index]!
      if (Result.isSuccess(outcome)) yield* use(outcome.success)
      else quarantined.push({ file: origin, reason: outcome.failure.reason })
    }
  })
  let seen = from?.seen ?? 0
  const readGroup = Effect.fnUntraced(function* (index: number, group: ReadonlyArray<number>) {
    const selected: Array<X> = []
    for (const at of group) {
      const shard = split.shards[at]!
      const examples = yield* data.read(shard, yield* store.get(shard))
      const first = firsts?.[at] ?? seen
      selected.push(...examples.filter((_, nth) => isSelected(first + nth)))
      seen += examples.length
    }
    const order = mixing?.derive("group", index).permutation(selected.length)
    const examples = order === undefined ? selected : Array.from(order, (at) => selected[at]!)
    for (const chunk of chunksOf(examples, target)) yield* prepareAll(chunk)
  })
  for (const [index, group] of groups.entries()) {
    if (index < (from?.groups ?? 0)) continue
    yield* readGroup(index, group)
    yield* reading.onProgress(seen)
    if (index + 1 < groups.length) yield* between({ groups: index + 1, seen, quarantined: [...quarantined] })
  }
  yield* checkSetAside(name, capacityOf(split, limit), quarantined, reading.maxUnreadable)
  return quarantined as ReadonlyArray<SetAside>
})
