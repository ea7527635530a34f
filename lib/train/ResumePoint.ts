/**
 * Everything a training run needs to go on as if it had never stopped. Random numbers are functions of (seed,
 * epoch, example), so weights, velocities and a position are all there is.
 */
import { Effect, Schema } from "effect"
import type { NamedArray } from "../models/safetensors.ts"
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from "../models/safetensors.ts"
import { checkWeights } from "../models/weights.ts"
import { isTrainable, type Weight, type WeightSpec, type Weights, zeroWeights } from "../nn/Weights.ts"
import { Numerics } from "../tensor/Runtime.ts"
import { EpochRecord } from "./EpochRecord.ts"
import { EpochSums, noSums } from "./epoch-sums.ts"
import { LossScale } from "./loss-scaling.ts"

const Position = Schema.Struct({
  schemaVersion: Schema.Literal(3),
  epoch: Schema.Int,
  step: Schema.Int,
  sums: EpochSums,
  history: Schema.Array(EpochRecord),
  lossScale: Schema.optionalKey(LossScale),
  computedWith: Schema.Array(Numerics)
})
const PositionJson = Schema.fromJsonString(Position)

export interface ResumePoint {
  /** Epochs that are finished. */
  readonly epoch: number
  /** Steps done in the epoch after those; 0 at its start. */
  readonly step: number
  readonly sums: EpochSums
  readonly history: ReadonlyArray<EpochRecord>
  /** What its steps were computed with, from the first on, each where it took over: mostly one alone. */
  readonly computedWith: ReadonlyArray<Numerics>
  readonly weights: Weights
  /** The optimizer's velocity of every trainable weight. */
  readonly velocities: Weights
  /** Where the loss is scaled. */
  readonly lossScale?: LossScale
  /** Of all weights over time, where they are averaged. */
  readonly averages?: Weights
}

/** What training is for: the averages where there are some. */
export const resultingWeights = ({ averages, weights }: Pick<ResumePoint, "averages" | "weights">): Weights =>
  averages ?? weights

/** Where training starts: given weights, no velocity. */
export const beginning = (weights: Weights, specs: ReadonlyArray<WeightSpec>): ResumePoint => ({
  epoch: 0,
  step: 0,
  sums: noSums,
  history: [],
  computedWith: [],
  weights,
  velocities: zeroWeights(specs.filter(isTrainable))
})

const isSame = (one: Numerics | undefined, { backend, library, threads }: Numerics): boolean =>
  one?.backend === backend && one.library === library && one.threads === threads

/** What has computed so far, and what computes from now on. */
export const goingOnWith = (sofar: ReadonlyArray<Numerics>, numerics: Numerics): ReadonlyArray<Numerics> =>
  isSame(sofar.at(-1), numerics) ? sofar : [...sofar, numerics]

/** Equal resume points give equal bytes. */
export const encodeResumePoint = (point: ResumePoint): Uint8Array<ArrayBuffer> => {
  const { weights: _, velocities: __, averages = {}, ...rest } = point
  const position = Schema.encodeSync(PositionJson)({ schemaVersion: 3, ...rest })
  return encodeSafetensors({
    arrays: {
      ...prefixed("weights/", point.weights),
      ...prefixed("velocities/", point.velocities),
      ...prefixed("averages/", averages)
    },
    metadata: { resumePoint: position }
  })
}

/** Fails when the bytes are broken, or are the state of a run with another network. */
export const decodeResumePoint = Effect.fn("decodeResumePoint")(function* (
  bytes: Uint8Array,
  specs: ReadonlyArray<WeightSpec>
) {
  const { arrays, metadata } = yield* decodeSafetensors(bytes)
  const position = yield* Schema.decodeUnknownEffect(PositionJson)(metadata.resumePoint).pipe(
    Effect.mapError((error) => new SafetensorsError({ reason: `it is no resume point (${error.message})` }))
  )
  const weights = unprefixed("weights/", arrays)
  const velocities = unprefixed("velocities/", arrays)
  yield* checkWeights(weights, specs)
  yield* checkWeights(velocities, specs.filter(isTrainable))
  const averages = unprefixed("averages/", arrays)
  const isAveraged = Object.keys(averages).length > 0
  if (isAveraged) yield* checkWeights(averages, specs)
  const { schemaVersion: _, ...rest } = position
  return { ...rest, weights, velocities, ...(isAveraged && { averages }) } satisfies ResumePoint
})

const prefixed = (prefix: string, weights: Weights): Weights =>
  Object.fromEntries(Object.entries(weights).map(([name, weight]) => [prefix + name, weight]))

const unprefixed = (prefix: string, arrays: Readonly<Record<string, NamedArray>>): Weights =>
  Object.fromEntries(
    Object.entries(arrays).flatMap(
      ([name, { shape, values }]): ReadonlyArray<readonly [string, Weight]> =>
        name.startsWith(prefix) && values instanceof Float32Array
          ? [[name.slice(prefix.length), { shape, values }]]
          : []
    )
  )
