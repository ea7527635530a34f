/**
 * One optimizer update as plain tfjs code: forward, gradients, running statistics, SGD. The runtime traces
 * it, in one piece or, for batches that are taken in parts, in two.
 */
import { movedStatistic } from "../nn/batch-norm.ts"
import { BatchStatistics, training } from "../nn/Mode.ts"
import { isTrainable } from "../nn/Weights.ts"
import { tf } from "../tensor/tf.ts"
import { assignIfFinite, type LossScaling, moveScale } from "./loss-scaling.ts"
import type { Gradients } from "./optimizers/gradient-norm.ts"
import { type OptimizerOptions, updateWeights } from "./optimizers/update-weights.ts"
import type { Task } from "./Task.ts"
import type { Variables } from "./variables.ts"
import { moveAverages, type WeightAverages } from "./weight-averages.ts"

/** What an update moves, and how. */
export interface Learning {
  readonly task: Pick<Task<never, never>, "weights">
  readonly weights: Variables
  /** One for each trainable weight, under the same name. */
  readonly velocities: Variables
  readonly optimizer: OptimizerOptions
  readonly lossScaling?: LossScaling | undefined
  readonly averaging?: WeightAverages | undefined
}

export interface TrainStepOptions<I extends string, O extends string> extends Learning {
  readonly task: Task<I, O>
}

export interface GradientSums {
  /** Of the gradients so far, one for each trainable weight, under the same name; 0 between two updates. */
  readonly gradientSums: Variables
}

type Inputs<I extends string> = { readonly [K in I]: tf.Tensor }
type Outputs<O extends string> = { readonly [K in O | "loss"]: tf.Tensor }

/** Scalars that steps give back besides, where the loss is scaled. */
export interface ScalingOutputs {
  /** With which the gradients were taken. */
  readonly lossScale: tf.Tensor
  /** Of an update: 1 if they were not all finite, so that nothing was updated; else 0. */
  readonly skipped: tf.Tensor
}

/**
 * Updates weights, running statistics, velocities and averages; gives back the loss before the update, and
 * the outputs.
 */
export const trainStep =
  <I extends string, O extends string>(options: TrainStepOptions<I, O>) =>
  (inputs: Inputs<I>, learningRate: tf.Scalar): Outputs<O> => {
    const { gradients, observed, outputs } = gradientsOf(options, inputs)
    const scaling = guarded(options, gradients, () => {
      moveStatistics(options.weights, observed)
      update(options, gradients, learningRate)
    })
    return { ...outputs(), ...scaling }
  }

/**
 * Of a part of a batch: adds its gradients to the sums and moves the running statistics, which see each part
 * as a batch of its own, as in PyTorch; gives back its loss and outputs. {@link accumulatedUpdate} follows
 * once all parts have been here.
 */
export const accumulationStep =
  <I extends string, O extends string>(options: TrainStepOptions<I, O> & GradientSums) =>
  (inputs: Inputs<I>): Outputs<O> => {
    const { gradients, observed, outputs } = gradientsOf(options, inputs)
    const { gradientSums, lossScaling, weights } = options
    const move = () => moveStatistics(weights, observed)
    if (lossScaling === undefined) move()
    else assignIfFinite(gradients, Object.values(weights), move)
    for (const [name, sum] of Object.entries(gradientSums)) sum.assign(tf.add(sum, gradients[name]!))
    return { ...outputs(), ...(lossScaling && { lossScale: tf.clone(lossScaling.scale) }) }
  }

/** The update by the mean of the gradients of `numParts` parts of equal size. */
export const accumulatedUpdate =
  (options: Learning & GradientSums, numParts: number) =>
  (learningRate: tf.Scalar): Partial<ScalingOutputs> => {
    const { gradientSums } = options
    const gradients = Object.fromEntries(
      Object.entries(gradientSums).map(([name, sum]) => [name, tf.div(sum, numParts)])
    )
    const scaling = guarded(options, gradients, () => update(options, gradients, learningRate))
    for (const sum of Object.values(gradientSums)) sum.assign(tf.zerosLike(sum))
    return scaling
  }

/** `outputs` moves what was kept to the tidy scope around: to be called once. */
const gradientsOf = <I extends string, O extends string>(
  { lossScaling, task, weights }: TrainStepOptions<I, O>,
  inputs: Inputs<I>
) => {
  const trainable = task.weights.filter(isTrainable).map((spec) => spec.name)
  const statistics = new BatchStatistics()
  const mode = training(task.weights, statistics)
  const kept: Array<readonly [string, tf.Tensor]> = []
  const keep = (name: string, tensor: tf.Tensor) => kept.push([name, tf.keep(tf.clone(tensor))])
  const { grads } = tf.variableGrads(
    () => {
      const { loss, outputs } = task.forward(weights, inputs, mode)
      keep("loss", loss)
      for (const [name, output] of Object.entries<tf.Tensor>(outputs)) keep(name, output)
      return lossScaling === undefined ? loss : tf.mul(loss, lossScaling.scale)
    },
    trainable.map((name) => weights[name]!)
  )
  const unscaled = (gradient: tf.Tensor): tf.Tensor =>
    lossScaling === undefined ? gradient : tf.div(gradient, lossScaling.scale)
  const gradients: Gradients = Object.fromEntries(
    trainable.map((name) => [name, unscaled(grads[weights[name]!.name]!)])
  )
  return {
    gradients,
    observed: statistics.take(),
    outputs: () => Object.fromEntries(kept.map(([name, tensor]) => [name, handedBack(tensor)])) as Outputs<O>
  }
}

/** With a loss that is scaled, assigns only where all gradients are finite, and moves the scale. */
const guarded = (
  { averaging, lossScaling, velocities, weights }: Learning,
  gradients: Gradients,
  assign: () => void
): Partial<ScalingOutputs> => {
  if (lossScaling === undefined) {
    assign()
    return {}
  }
  const variables = [weights, velocities, averaging?.averages ?? {}].flatMap((held) => Object.values(held))
  const lossScale = tf.clone(lossScaling.scale)
  const finite = assignIfFinite(gradients, variables, assign)
  moveScale(lossScaling, finite)
  return { lossScale, skipped: tf.where(finite, tf.zerosLike(lossScale), tf.onesLike(lossScale)) }
}

const moveStatistics = (weights: Variables, observed: ReturnType<BatchStatistics["take"]>): void => {
  for (const [name, value] of observed) {
    weights[name]!.assign(movedStatistic(weights[name]!, value))
  }
}

const update = (learning: Learning, gradients: Gradients, learningRate: tf.Scalar): void => {
  const { averaging, optimizer, task, velocities, weights } = learning
  updateWeights(optimizer, { specs: task.weights, weights, velocities }, gradients, learningRate)
  if (averaging !== undefined) moveAverages(averaging, weights)
}

/** A kept tensor, returned to the tidy scope around the step. */
const handedBack = (kept: tf.Tensor): tf.Tensor => {
  const tensor = tf.clone(kept)
  kept.dispose()
  return tensor
}
