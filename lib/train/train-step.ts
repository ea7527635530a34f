/**
 * One optimizer update as plain tfjs code: forward, gradients, running statistics, SGD. The runtime traces
 * it.
 */
import { movedStatistic } from "../nn/batch-norm.ts"
import { BatchStatistics, training } from "../nn/Mode.ts"
import { isTrainable } from "../nn/Weights.ts"
import { tf } from "../tensor/tf.ts"
import { type LossScaling, updateIfFinite } from "./loss-scaling.ts"
import { clippedGradients, type Gradients } from "./optimizers/gradient-norm.ts"
import { type SgdOptions, sgdUpdate } from "./optimizers/sgd.ts"
import type { Task } from "./Task.ts"
import type { Variables } from "./variables.ts"

export interface TrainStepOptions<I extends string, O extends string> {
  readonly task: Task<I, O>
  readonly weights: Variables
  /** One for each trainable weight, under the same name. */
  readonly velocities: Variables
  readonly optimizer: SgdOptions & {
    /** See {@link clippedGradients}; absent or null: as they are. */
    readonly gradientNormMax?: number | null
  }
  /** For float16 only. */
  readonly lossScaling?: LossScaling | undefined
}

/**
 * Updates weights, running statistics and velocities; gives back the loss before the update, and the
 * outputs.
 */
export const trainStep =
  <I extends string, O extends string>(options: TrainStepOptions<I, O>) =>
  (
    inputs: { readonly [K in I]: tf.Tensor },
    learningRate: tf.Scalar
  ): { readonly [K in O | "loss"]: tf.Tensor } => {
    const { lossScaling, task, velocities, weights } = options
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
    const loss = lossScaling === undefined ? value : tf.div(value, lossScaling.scale)
    const observed = statistics.take()
    const update = (gradients: Gradients) => applyUpdates(options, observed, gradients, learningRate)
    if (lossScaling === undefined) update(grads)
    else updateIfFinite(lossScaling, grads, [...Object.values(weights), ...Object.values(velocities)], update)
    return { loss, ...Object.fromEntries(kept.map(([name, tensor]) => [name, handedBack(tensor)])) } as {
      readonly [K in O | "loss"]: tf.Tensor
    }
  }

type Updated = Pick<TrainStepOptions<never, never>, "optimizer" | "velocities" | "weights">

/** Moves running statistics by what the step saw, weights and velocities by their gradients. */
const applyUpdates = (
  { optimizer, velocities, weights }: Updated,
  observed: ReturnType<BatchStatistics["take"]>,
  grads: Gradients,
  learningRate: tf.Scalar
): void => {
  for (const [name, value] of observed) {
    weights[name]!.assign(movedStatistic(weights[name]!, value))
  }
  const { gradientNormMax } = optimizer
  const gradients = gradientNormMax == null ? grads : clippedGradients(grads, gradientNormMax)
  for (const [name, velocity] of Object.entries(velocities)) {
    const weight = weights[name]!
    sgdUpdate(optimizer, weight, velocity, gradients[weight.name]!, learningRate)
  }
}

/** A kept tensor, returned to the tidy scope around the step. */
const handedBack = (kept: tf.Tensor): tf.Tensor => {
  const tensor = tf.clone(kept)
  kept.dispose()
  return tensor
}
