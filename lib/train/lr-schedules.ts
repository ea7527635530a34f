/** Learning rate by step, as pure functions. Steps count from 0 over the whole run. */
import type { LrSchedule } from "./TrainingParams.ts"

export interface LrScheduleOptions {
  /** The peak. */
  readonly learningRate: number
  readonly warmupEpochs: number
  readonly epochs: number
  readonly stepsPerEpoch: number
  readonly lrSchedule: LrSchedule
}

/**
 * Linear warm-up over m steps, (step + 1) / m of the peak (Goyal et al. 2017, as in the paper §3.1), then
 * the schedule over the T steps that are left: cosine is peak / 2 (1 + cos(π t / T)), t = 0 … T - 1 (paper
 * eq. 4).
 */
export const learningRateAt = (options: LrScheduleOptions, step: number): number => {
  const { learningRate, lrSchedule, stepsPerEpoch } = options
  const warmupSteps = options.warmupEpochs * stepsPerEpoch
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps
  switch (lrSchedule.kind) {
    case "cosine": {
      const progress = (step - warmupSteps) / (options.epochs * stepsPerEpoch - warmupSteps)
      return (learningRate / 2) * (1 + Math.cos(Math.PI * progress))
    }
    case "constant":
      return learningRate
    case "step": {
      const epoch = Math.floor(step / stepsPerEpoch)
      const passed = lrSchedule.milestones.filter((milestone) => milestone <= epoch).length
      return learningRate * lrSchedule.factor ** passed
    }
  }
}
