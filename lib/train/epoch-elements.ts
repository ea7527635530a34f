/**
 * Training as a fold over epochs: what acts in every epoch, and what acts in one. Two runs whose first epochs
 * are described alike have the same states there.
 */
import type { Schema } from "effect"
import { type LrScheduleOptions, learningRateAt } from "./lr-schedules.ts"
import type { OptimizationParams } from "./TrainingParams.ts"

/**
 * The params but for those that act only through the learning rates of an epoch. Batches, augmentation and
 * their order are functions of (seed, epoch, example), so the seed stands for all of them.
 */
export const actingAlways = <P extends OptimizationParams>(params: P) => {
  const { baseBatchSize, epochs, learningRate, lrForm, lrSchedule, warmupEpochs, ...always } = params
  return always
}

/** What acts in an epoch besides its learning rates, by name; nothing where all is as usual. */
export type ActingIn = (epoch: number) => Readonly<Record<string, Schema.Json>>

/**
 * An epoch's description: which it is, the learning rates of its steps, how many steps each one holds, and
 * what else acts in it.
 * Constant and stepped rates do not depend on how many epochs there are; a cosine's and a polynomial's do, so
 * over more epochs they share their warm-up and nothing after it.
 */
const epochElement = (options: LrScheduleOptions, actingIn: ActingIn, epoch: number): Schema.Json => {
  const learningRates: Array<number> = []
  const numSteps: Array<number> = []
  for (let step = 0; step < options.stepsPerEpoch; step++) {
    const rate = learningRateAt(options, epoch * options.stepsPerEpoch + step)
    if (learningRates.at(-1) === rate) numSteps[numSteps.length - 1]!++
    else {
      learningRates.push(rate)
      numSteps.push(1)
    }
  }
  return { epoch, learningRates, numSteps, ...actingIn(epoch) }
}

export const epochElements = (
  options: LrScheduleOptions,
  actingIn: ActingIn = () => ({})
): ReadonlyArray<Schema.Json> =>
  Array.from({ length: options.epochs }, (_, epoch) => epochElement(options, actingIn, epoch))

/** Epochs that are done where the schedule turns: there another run may go on with another tail. */
export const turningPoints = ({ lrSchedule, warmupEpochs }: OptimizationParams): ReadonlyArray<number> => [
  ...new Set([warmupEpochs, ...(lrSchedule.kind === "step" ? lrSchedule.milestones : [])])
]
