/** What decides a training run's mathematics, as data; light enough for a stage's contract. */
import { Schema } from "effect"
import { leftOut, withDefault } from "../models/withDefault.ts"
import { Initializer } from "../nn/initializers.ts"
import { Precision } from "../tensor/Runtime.ts"

const inRange = (what: string, minimum: number, maximum: number) =>
  Schema.Number.check(
    Schema.makeFilter(
      (value: number) =>
        (value >= minimum && value <= maximum) ||
        `${what} must be from ${minimum} to ${maximum}, got ${value}`
    )
  )

const integerInRange = (what: string, minimum: number, maximum: number) =>
  Schema.Number.check(
    Schema.makeFilter(
      (value: number) =>
        (Number.isInteger(value) && value >= minimum && value <= maximum) ||
        `${what} must be a whole number from ${minimum} to ${maximum}, got ${value}`
    )
  )

/** After the warm-up: half a cosine to 0, or constant, or divided at the start of given epochs (from 0). */
export const LrSchedule = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("cosine") }),
  Schema.Struct({ kind: Schema.Literal("constant") }),
  Schema.Struct({
    kind: Schema.Literal("step"),
    milestones: Schema.Array(Schema.Int),
    factor: inRange("factor", 0, 1)
  })
])
export type LrSchedule = typeof LrSchedule.Type

export const Augment = Schema.Struct({
  /** Pixels on each side before a random crop of the original size. */
  pad: withDefault(integerInRange("pad", 0, 64), 0),
  /** Whether half of the images are mirrored left to right. */
  flip: withDefault(Schema.Boolean, false)
})

/** What every training loop is told, whatever its task. */
export const OptimizationParams = Schema.Struct({
  epochs: integerInRange("epochs", 1, 10_000),
  batchSize: withDefault(integerInRange("batchSize", 1, 65_536), 128),
  /** The peak, reached at the end of the warm-up. */
  learningRate: withDefault(inRange("learningRate", 0, 100), 0.1),
  warmupEpochs: withDefault(integerInRange("warmupEpochs", 0, 10_000), 1),
  lrSchedule: withDefault(LrSchedule, { kind: "cosine" }),
  momentum: withDefault(inRange("momentum", 0, 1), 0.9),
  /** On kernels only; biases and normalisations do not decay. */
  weightDecay: withDefault(inRange("weightDecay", 0, 1), 5e-4),
  /** Gradients are scaled down together where their common norm is above this; null: never. */
  gradientNormMax: withDefault(Schema.NullOr(inRange("gradientNormMax", 1e-6, 1e6)), null),
  precision: withDefault(Precision, "float32"),
  initializer: withDefault(Initializer, "torch-default"),
  seed: withDefault(integerInRange("seed", 0, 2 ** 32 - 1), 0)
})
export type OptimizationParams = typeof OptimizationParams.Type

/** PyTorch's tutorials' and TF-slim's for Inception-V3. */
export const usualAuxiliaryWeight = 0.4

/** Of a classifier. */
export const TrainingParams = Schema.Struct({
  ...OptimizationParams.fields,
  /** Whether the last normalisation of every residual block starts at 0 (He et al. 2018, §3.1). */
  zeroGamma: leftOut(Schema.Boolean, false),
  labelSmoothing: withDefault(inRange("labelSmoothing", 0, 1), 0),
  augment: withDefault(Augment, { pad: 0, flip: false }),
  /**
   * Of the auxiliary classifier's loss beside the classifier's own, where the architecture has one; at 0 it
   * stays as it starts. {@link usualAuxiliaryWeight} where nothing is said.
   */
  auxiliaryWeight: leftOut(inRange("auxiliaryWeight", 0, 1), usualAuxiliaryWeight)
})
export type TrainingParams = typeof TrainingParams.Type
