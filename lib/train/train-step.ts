/**
 * One optimizer update as plain tfjs code: forward, gradients, running statistics, SGD. The runtime traces
 * it.
 */
import { movedStatistic } from "../nn/batch-norm.ts"
import { BatchStatistics, training } from "../nn/Mode.ts"
import { isTrainable } from "../nn/Weights.ts"
import { tf } from "../tensor/tf.ts"
import { clippedGradients } from "./optimizers/gradient-norm.ts"
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
    const { task, weights, velocities, optimizer } = options
    const trainable = task.weights.filter(isTrainable).map((spec) => spec.name)
    const statistics = new BatchStatistics()
    const mode = training(task.weights, statistics)
    const kept: Array<readonly [string, tf.Tensor]> = []
    const { value: loss, grads } = tf.variableGrads(
      () => {
        const forward = task.forward(weights, inputs, mode)
        for (const [name, output] of Object.entries<tf.Tensor>(forward.outputs)) {
          kept.push([name, tf.keep(tf.clone(output))])
        }
        return forward.loss
      },
      trainable.map((name) => weights[name]!)
    )
    for (const [name, observed] of statistics.take()) {
      weights[name]!.assign(movedStatistic(weights[name]!, observed))
    }
    const { gradientNormMax } = optimizer
    const gradients = gradientNormMax == null ? grads : clippedGradients(grads, gradientNormMax)
    for (const name of trainable) {
      const weight = weights[name]!
      sgdUpdate(optimizer, weight, velocities[name]!, gradients[weight.name]!, learningRate)
    }
    return { loss, ...Object.fromEntries(kept.map(([name, tensor]) => [name, handedBack(tensor)])) } as {
      readonly [K in O | "loss"]: tf.Tensor
    }
  }

/** A kept tensor, returned to the tidy scope around the step. */
const handedBack = (kept: tf.Tensor): tf.Tensor => {
  const tensor = tf.clone(kept)
  kept.dispose()
  return tensor
}
