/**
 * Stochastic gradient descent with Nesterov momentum, in the form MXNet's NAG and PyTorch's
 * `SGD(nesterov=True)` share: g' = g + λ w, v ← μ v + g', w ← w - η (g' + μ v).
 */
import { tf } from "../../tensor/tf.ts"

export interface SgdOptions {
  /** μ */
  readonly momentum: number
  /** λ; acts on tensors of rank above 1 only, so biases and normalisations do not decay ("no bias decay"). */
  readonly weightDecay: number
}

/** One update of a weight and its velocity v (same shape, starting at 0). `learningRate` is the scalar η. */
export const sgdUpdate = (
  { momentum, weightDecay }: SgdOptions,
  weight: tf.Variable,
  velocity: tf.Variable,
  gradient: tf.Tensor,
  learningRate: tf.Scalar
): void => {
  const decays = weightDecay !== 0 && weight.rank > 1
  const decayed = decays ? tf.add(gradient, tf.mul(weight, weightDecay)) : gradient
  const moved = tf.add(tf.mul(velocity, momentum), decayed)
  const direction = tf.add(decayed, tf.mul(moved, momentum))
  weight.assign(tf.sub(weight, tf.mul(direction, learningRate)))
  velocity.assign(moved)
}
