/** What decides a training run's mathematics, as data; light enough for a stage's contract. */
import { Schema } from "effect"
import { Augment } from "../data/augment/Augment.ts"
import { ImageSizes } from "../data/image-sizes.ts"
import type { Architecture } from "../models/Architecture.ts"
import { leftOut, withDefault } from "../models/withDefault.ts"
import { Initializer } from "../nn/initializers.ts"
import { Precision } from "../tensor/Runtime.ts"
import { inRange, integerInRange } from "./ranges.ts"
import { TargetParams, targetsFlaw } from "./TargetParams.ts"

/** So that multiplying and dividing by it rounds nothing. */
const powerOfTwo = (what: string, maximum: number) =>
  Schema.Number.check(
    Schema.makeFilter(
      (value: number) =>
        (value >= 1 && value <= maximum && Number.isInteger(Math.log2(value))) ||
        `${what} must be a power of two from 1 to ${maximum}, got ${value}`
    )
  )

/** Momentum as Nesterov has it (the paper's), as in PyTorch's SGD, or made orthogonal (see `muon.ts`). */
export const Optimizer = Schema.Union([
  Schema.Literals(["nag", "sgd"]),
  Schema.Struct({
    kind: Schema.Literal("muon"),
    /** Muon's rate is so many times the learning rate, which is the other weights'. */
    rateFactor: withDefault(inRange("rateFactor", 0, 1000), 0.2),
    momentum: withDefault(inRange("momentum", 0, 1), 0.95),
    /** Apart from the gradient: in an update weights shrink by rate times this of themselves. */
    weightDecay: withDefault(inRange("weightDecay", 0, 1), 0)
  })
])

const ascending = Schema.makeFilter(
  (epochs: ReadonlyArray<number>) =>
    epochs.every((epoch, at) => epoch > (epochs[at - 1] ?? -1)) ||
    `milestones must be epochs from 0 on, ascending; got ${epochs.join(", ")}`
)

/**
 * After the warm-up: half a cosine to 0, a power of what is left (GluonCV: 2 for classifiers, 0.9 for
 * segmenters), constant, or multiplied by a factor at the start of given epochs (from 0).
 */
export const LrSchedule = Schema.Union([
  Schema.Struct({ kind: Schema.Literal("cosine") }),
  Schema.Struct({
    kind: Schema.Literal("polynomial"),
    power: withDefault(inRange("power", 0.01, 100), 2)
  }),
  Schema.Struct({ kind: Schema.Literal("constant") }),
  Schema.Struct({
    kind: Schema.Literal("step"),
    milestones: Schema.Array(Schema.Int).check(ascending),
    factor: inRange("factor", 0, 1)
  })
])
export type LrSchedule = typeof LrSchedule.Type

/** What every training loop is told, whatever its task. */
export const OptimizationParams = Schema.Struct({
  epochs: integerInRange("epochs", 1, 10_000),
  /** Examples of one update. */
  batchSize: withDefault(integerInRange("batchSize", 1, 65_536), 128),
  /**
   * So many examples are in memory at once: the gradients of an update are added up over batchSize /
   * microBatchSize of them. Absent or null: all.
   */
  microBatchSize: leftOut(Schema.NullOr(integerInRange("microBatchSize", 1, 65_536)), null),
  /** The peak, reached at the end of the warm-up. */
  learningRate: withDefault(inRange("learningRate", 0, 100), 0.1),
  /** learningRate is for batches of so many, and the rate used in proportion. Absent or null: for any. */
  baseBatchSize: leftOut(Schema.NullOr(integerInRange("baseBatchSize", 1, 65_536)), null),
  warmupEpochs: withDefault(integerInRange("warmupEpochs", 0, 10_000), 1),
  lrSchedule: withDefault(LrSchedule, { kind: "cosine" }),
  /** Whose arithmetic the steps of warm-up, cosine and polynomial follow: see `learningRateAt`. */
  lrForm: leftOut(Schema.Literals(["paper", "gluoncv"]), "paper"),
  momentum: withDefault(inRange("momentum", 0, 1), 0.9),
  weightDecay: withDefault(inRange("weightDecay", 0, 1), 5e-4),
  /** "kernels": biases and normalisations do not decay (He et al. 2018, §3.1, "no bias decay"). */
  weightDecayOn: leftOut(Schema.Literals(["kernels", "all"]), "kernels"),
  /** Gradients are scaled down together where their common norm is above this; null: never. */
  gradientNormMax: withDefault(Schema.NullOr(inRange("gradientNormMax", 1e-6, 1e6)), null),
  optimizer: leftOut(Optimizer, "nag"),
  /**
   * Weights are averaged over time, and the average is what is validated, evaluated and exported: an update
   * keeps so much of it. It starts as the first weights, so with few updates take less: 1 - 10 / updates.
   */
  emaDecay: leftOut(Schema.NullOr(inRange("emaDecay", 0, 0.999_999)), null),
  precision: withDefault(Precision, "float32"),
  /**
   * "dynamic": in float16 the loss is multiplied by what gradients can bear at the time, in other precisions
   * by nothing. A number is a multiplier that stays, in any precision.
   */
  lossScale: leftOut(Schema.Union([Schema.Literal("dynamic"), powerOfTwo("lossScale", 2 ** 24)]), "dynamic"),
  initializer: withDefault(Initializer, "torch-default"),
  seed: withDefault(integerInRange("seed", 0, 2 ** 32 - 1), 0)
})
export type OptimizationParams = typeof OptimizationParams.Type

type BatchSizes = Pick<OptimizationParams, "batchSize" | "microBatchSize">

/** Examples in memory at once. */
export const microBatchSizeOf = ({ batchSize, microBatchSize }: BatchSizes): number =>
  microBatchSize ?? batchSize

/** For structs that hold {@link OptimizationParams}. */
export const wholeMicroBatches = Schema.makeFilter(
  (sizes: BatchSizes) =>
    sizes.batchSize % microBatchSizeOf(sizes) === 0 ||
    `microBatchSize must divide batchSize, ${sizes.batchSize}; got ${sizes.microBatchSize}`
)

/** PyTorch's tutorials' and TF-slim's for Inception-V3. */
export const usualAuxiliaryWeight = 0.4

/** Of a classifier. */
export const TrainingParams = Schema.Struct({
  ...OptimizationParams.fields,
  /** Whether the last normalisation of every residual block starts at 0 (He et al. 2018, §3.1). */
  zeroGamma: leftOut(Schema.Boolean, false),
  ...TargetParams.fields,
  augment: withDefault(Augment, { pad: 0, flip: false }),
  /**
   * Epochs that see images of another size than the network's input, as `[from epoch, rows]`: progressive
   * resizing. Evaluation keeps the input's. Null: none.
   */
  imageSizes: leftOut(Schema.NullOr(ImageSizes), null),
  /**
   * How often an example skips the last residual block's branch; blocks before it are skipped in
   * proportion to their place (Huang et al. 2016). 0: none is.
   */
  stochasticDepth: leftOut(inRange("stochasticDepth", 0, 0.99), 0),
  /**
   * Of the auxiliary classifier's loss beside the classifier's own, where the architecture has one; at 0 it
   * stays as it starts. {@link usualAuxiliaryWeight} where nothing is said.
   */
  auxiliaryWeight: leftOut(inRange("auxiliaryWeight", 0, 1), usualAuxiliaryWeight)
}).check(wholeMicroBatches)
export type TrainingParams = typeof TrainingParams.Type

/** Why an architecture cannot be trained so; `undefined`: it can. */
export const trainingFlaw = (params: {
  readonly architecture: Architecture
  readonly training: TrainingParams
}): string | undefined => {
  const { family } = params.architecture
  const { imageSizes = null, stochasticDepth = 0 } = params.training
  const flaw = targetsFlaw(params.training, params.training.epochs)
  if (flaw !== undefined) return flaw
  if (imageSizes !== null && family === "inception-v3") {
    return "imageSizes: the windows of inception-v3 have no padding and fit its own size only; leave it out"
  }
  return stochasticDepth === 0 || family === "resnet" || family === "resnet-cifar"
    ? undefined
    : `stochasticDepth skips residual blocks, which ${family} has none of: leave it out`
}
