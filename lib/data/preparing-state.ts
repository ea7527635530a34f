/**
 * What the preparing of large splits goes on from after a stop or a kill: the splits that are finished, and
 * where it was in the one after them.
 */
import { Effect, Schema } from "effect"
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from "../models/safetensors.ts"
import type { BlobRef } from "../storage/BlobStore.ts"
import { ShardedSplit } from "./PreparedSplit.ts"
import type { ReadingPosition } from "./read-examples.ts"
import type { WriterState } from "./ShardedWriter.ts"
import { SetAside } from "./set-aside.ts"
import type { CutState } from "./stratified-split.ts"

const Numbers = Schema.Array(Schema.Number)

export const FinishedSplit = Schema.Struct({
  split: ShardedSplit,
  /** What was cut off for validation. */
  taken: Schema.NullOr(ShardedSplit),
  /** Of the split, where it was measured: per channel, in units of pixel / 255. */
  statistics: Schema.NullOr(Schema.Struct({ mean: Numbers, std: Numbers })),
  quarantined: Schema.Array(SetAside)
})
export type FinishedSplit = typeof FinishedSplit.Type

/** Within a split, between two groups of what was ingested. */
export interface StartedSplit {
  readonly name: string
  readonly position: ReadingPosition
  /** Per channel, 0…1: the colour of padding. */
  readonly mean: ReadonlyArray<number>
  readonly histograms: ReadonlyArray<ReadonlyArray<number>>
  readonly cut: CutState
  /** Of the split, and of what is cut off. */
  readonly writers: ReadonlyArray<WriterState>
}

export interface PreparingState {
  /** By the split's name. */
  readonly finished: Readonly<Record<string, FinishedSplit>>
  readonly started: StartedSplit | null
}

const Told = Schema.fromJsonString(
  Schema.Struct({
    schemaVersion: Schema.Literal(1),
    finished: Schema.Record(Schema.String, FinishedSplit),
    started: Schema.NullOr(
      Schema.Struct({
        name: Schema.String,
        position: Schema.Struct({
          groups: Schema.Int,
          seen: Schema.Int,
          quarantined: Schema.Array(SetAside)
        }),
        mean: Numbers,
        histograms: Schema.Array(Numbers),
        cut: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int, Schema.Int])),
        writers: Schema.Array(Schema.Struct({ shards: ShardedSplit.fields.shards }))
      })
    )
  })
)

export const encodePreparingState = ({ finished, started }: PreparingState): Uint8Array => {
  const writers = started?.writers ?? []
  const arrays = writers.flatMap(({ labels, waiting }, at) => [
    [`labels/${at}`, { shape: [labels.length], values: labels }] as const,
    [`waiting/${at}`, { shape: [waiting.length], values: waiting }] as const
  ])
  const told = started && { ...started, writers: writers.map(({ shards }) => ({ shards })) }
  return encodeSafetensors({
    arrays: Object.fromEntries(arrays),
    metadata: { preparing: Schema.encodeSync(Told)({ schemaVersion: 1, finished, started: told }) }
  })
}

/** Fails with `SafetensorsError` where the bytes are broken or hold something else. */
export const decodePreparingState = Effect.fn("decodePreparingState")(function* (bytes: Uint8Array) {
  const { arrays, metadata } = yield* decodeSafetensors(bytes)
  const { finished, started } = yield* Schema.decodeUnknownEffect(Told)(metadata.preparing).pipe(
    Effect.mapError((error) => new SafetensorsError({ reason: `it is no such state (${error.message})` }))
  )
  if (started === null) return { finished, started } satisfies PreparingState
  const writers: Array<WriterState> = []
  for (const [at, { shards }] of started.writers.entries()) {
    const [labels, waiting] = [arrays[`labels/${at}`]?.values, arrays[`waiting/${at}`]?.values]
    if (!(labels instanceof Int32Array && waiting instanceof Uint8Array)) {
      return yield* new SafetensorsError({ reason: "it lacks the images that wait" })
    }
    writers.push({ shards, labels, waiting })
  }
  return { finished, started: { ...started, writers } } satisfies PreparingState
})

/** All that must still be in the store. */
export const blobsOfState = ({ finished, started }: PreparingState): ReadonlyArray<BlobRef> => {
  const splits = Object.values(finished).flatMap(({ split, taken }) =>
    taken === null ? [split] : [split, taken]
  )
  const open = started?.writers ?? []
  return [...splits.map(({ labels }) => labels), ...[...splits, ...open].flatMap(({ shards }) => shards)]
}

/** Keeps such a state. */
export interface Keeper<E, R> {
  readonly finished: (name: string) => FinishedSplit | undefined
  readonly started: (name: string) => StartedSplit | undefined
  /** Called now and then, also before there is a state: it may stop the work. */
  readonly keep: (state: (() => StartedSplit) | undefined) => Effect.Effect<void, E, R>
  readonly finish: (name: string, split: FinishedSplit) => Effect.Effect<void, E, R>
}
