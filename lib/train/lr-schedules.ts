/** Learning rate by step, as pure functions. Steps count from 0 over the whole run. */
import type { OptimizationParams } from "./TrainingParams.ts"

type RateParams =
  | "learningRate"
  | "batchSize"
  | "baseBatchSize"
  | "warmupEpochs"
  | "epochs"
  | "lrSchedule"
  | "lrForm"

export interface LrScheduleOptions extends Pick<OptimizationParams, RateParams> {
  readonly stepsPerEpoch: number
}

/**
 * The rate at the end of the warm-up: η b / b₀ where `baseBatchSize` b₀ is given (linear scaling, Goyal et
 * al. 2017; the paper's §3.1 takes η = 0.1 and b₀ = 256).
 */
export const peakLearningRate = ({
  baseBatchSize,
  batchSize,
  learningRate
}: Pick<LrScheduleOptions, "learningRate" | "batchSize" | "baseBatchSize">): number =>
  baseBatchSize == null ? learningRate : (learningRate * batchSize) / baseBatchSize

/**
 * Linear warm-up over m steps, then the schedule over the T steps that are left, t = 0 … T - 1. The paper's
 * form: (t + 1) / m of the peak (§3.1), then peak / 2 (1 + cos(π t / T)) (§5.1). GluonCV's form, which the
 * published weights were trained in, goes from end to end of a piece: t / (m - 1), so that the first step of
 * all moves nothing, and cos(π t / (T - 1)), which ends at 0. A step's milestones count from the first epoch
 * in both (GluonCV takes the warm-up off them, and starts their piece as much later).
 */
export const learningRateAt = (options: LrScheduleOptions, step: number): number => {
  const { lrSchedule, stepsPerEpoch } = options
  const peak = peakLearningRate(options)
  const warmupSteps = options.warmupEpochs * stepsPerEpoch
  if (step < warmupSteps) return warmingUp(options, peak, step, warmupSteps)
  switch (lrSchedule.kind) {
    case "cosine":
      return (peak / 2) * (1 + Math.cos(Math.PI * progressOf(options, step, warmupSteps)))
    case "polynomial":
      return peak * (1 - progressOf(options, step, warmupSteps)) ** lrSchedule.power
    case "constant":
      return peak
    case "step": {
      const epoch = Math.floor(step / stepsPerEpoch)
      const passed = lrSchedule.milestones.filter((milestone) => milestone <= epoch).length
      return peak * lrSchedule.factor ** passed
    }
  }
}

const warmingUp = ({ lrForm }: LrScheduleOptions, peak: number, step: number, warmupSteps: number): number =>
  lrForm === "gluoncv" && warmupSteps > 1
    ? (peak * step) / (warmupSteps - 1)
    : (peak * (step + 1)) / warmupSteps

/** From 0, through the steps after the warm-up. */
const progressOf = (options: LrScheduleOptions, step: number, warmupSteps: number): number => {
  const numSteps = options.epochs * options.stepsPerEpoch - warmupSteps
  return (step - warmupSteps) / (options.lrForm === "gluoncv" && numSteps > 1 ? numSteps - 1 : numSteps)
}
