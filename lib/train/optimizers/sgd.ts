/** Stochastic gradient descent with Nesterov momentum: see `lib/tensor/sgd.ts` for the formula. */
import { sgdStep } from "../../tensor/sgd.ts"
import type { tf } from "../../tensor/tf.ts"

export interface SgdOptions {
  /** μ */
  readonly momentum: number
  /** λ */
  readonly weightDecay: number
  /** "kernels" (the usual): tensors of rank above 1 only, so biases and normalisations do not decay. */
  readonly weightDecayOn?: "kernels" | "all"
}

/** One update of a weight and its velocity v (same shape, starting at 0). `learningRate` is the scalar η. */
export const sgdUpdate = (
  { momentum, weightDecay, weightDecayOn }: SgdOptions,
  weight: tf.Variable,
  velocity: tf.Variable,
  gradient: tf.Tensor,
  learningRate: tf.Scalar
): void => {
  const decay = weight.rank > 1 || weightDecayOn === "all" ? weightDecay : 0
  const next = sgdStep({ weight, velocity, gradient, rate: learningRate }, { momentum, decay })
  weight.assign(next.weight)
  velocity.assign(next.velocity)
}
