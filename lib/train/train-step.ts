/**
 * One optimizer update as plain tfjs code: forward, gradients, running statistics, SGD. The runtime traces
 * it, in one piece or, for batches that are taken in parts, in two.
 */
import { movedStatistic } from "../nn/batch-norm.ts"
import { BatchStatistics, training } from "../nn/Mode.ts"
import { isTrainable } from "../nn/Weights.ts"
import { tf } from "../tensor/tf.ts"
import { assignIfFinite, type LossScaling, moveScale } from "./loss-scaling.ts"
import { clippedGradients, type Gradients } from "./optimizers/gradient-norm.ts"
import { type SgdOptions, sgdUpdate } from "./optimizers/sgd.ts"
import type { Task } from "./Task.ts"
import type { Variables } from "./variables.ts"

export interface OptimizerOptions extends SgdOptions {
  /** See {@link clippedGradients}; absent or null: as they are. */
  readonly gradientNormMax?: number | null
}

/** What an update moves, and how. */
export interface Learning {
  readonly weights: Variables
  /** One for each trainable weight, under the same name. */
  readonly velocities: Variables
  readonly optimizer: OptimizerOptions
  readonly lossScaling?: LossScaling | undefined
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

/**
 * Updates weights, running statistics and velocities; gives back the loss before the update, and the
 * outputs.
 */
export const trainStep =
  <I extends string, O extends string>(options: TrainStepOptions<I, O>) =>
  (inputs: Inputs<I>, learningRate: tf.Scalar): Outputs<O> => {
    const { gradients, observed, outputs } = gradientsOf(options, inputs)
    guarded(options, gradients, () => {
      moveStatistics(options.weights, observed)
      moveWeights(options, gradients, learningRate)
    })
    return outputs()
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
    return outputs()
  }

/** The update by the mean of the gradients of `numParts` parts of equal size. */
export const accumulatedUpdate =
  (options: Learning & GradientSums, numParts: number) =>
  (learningRate: tf.Scalar): Record<never, tf.Tensor> => {
    const { gradientSums } = options
    const gradients = Object.fromEntries(
      Object.entries(gradientSums).map(([name, sum]) => [name, tf.div(sum, numParts)])
    )
    guarded(options, gradients, () => moveWeights(options, gradients, learningRate))
    for (const sum of Object.values(gradientSums)) sum.assign(tf.zerosLike(sum))
    return {}
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
  const scaledLoss = (loss: tf.Scalar): tf.Scalar =>
    lossScaling === undefined ? loss : tf.mul(loss, lossScaling.scale)
  const { value, grads } = tf.variableGrads(
    () => {
      const forward = task.forward(weights, inputs, mode)
      for (const [name, output] of Object.entries<tf.Tensor>(forward.outputs)) {
        kept.push([name, tf.keep(tf.clone(output))])
      }
      return scaledLoss(forward.loss)
    },
    trainable.map((name) => weights[name]!)
  )
  const unscaled = <T extends tf.Tensor>(tensor: T): T =>
    lossScaling === undefined ? tensor : tf.div(tensor, lossScaling.scale)
  const loss = unscaled(value)
  const gradients: Gradients = Object.fromEntries(
    trainable.map((name) => [name, unscaled(grads[weights[name]!.name]!)])
  )
  return {
    gradients,
    observed: statistics.take(),
    outputs: () =>
      ({
        loss,
        ...Object.fromEntries(kept.map(([name, tensor]) => [name, handedBack(tensor)]))
      }) as Outputs<O>
  }
}

/** With a loss that is scaled, assigns only where all gradients are finite, and moves the scale. */
const guarded = (
  { lossScaling, velocities, weights }: Learning,
  gradients: Gradients,
  assign: () => void
): void => {
  if (lossScaling === undefined) assign()
  else {
    const variables = [...Object.values(weights), ...Object.values(velocities)]
    moveScale(lossScaling, assignIfFinite(gradients, variables, assign))
  }
}

const moveStatistics = (weights: Variables, observed: ReturnType<BatchStatistics["take"]>): void => {
  for (const [name, value] of observed) {
    weights[name]!.assign(movedStatistic(weights[name]!, value))
  }
}

/** Moves weights and velocities by the gradients. */
const moveWeights = (
  { optimizer, velocities, weights }: Learning,
  own: Gradients,
  learningRate: tf.Scalar
): void => {
  const { gradientNormMax } = optimizer
  const gradients = gradientNormMax == null ? own : clippedGradients(own, gradientNormMax)
  for (const [name, velocity] of Object.entries(velocities)) {
    sgdUpdate(optimizer, weights[name]!, velocity, gradients[name]!, learningRate)
  }
}

/** A kept tensor, returned to the tidy scope around the step. */
const handedBack = (kept: tf.Tensor): tf.Tensor => {
  const tensor = tf.clone(kept)
  kept.dispose()
  return tensor
}
