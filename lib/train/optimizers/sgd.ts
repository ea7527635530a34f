/** Stochastic gradient descent with momentum. */
import { sgdStep } from "../../tensor/sgd.ts"
import { tf } from "../../tensor/tf.ts"

export interface SgdOptions {
  /** μ */
  readonly momentum: number
  /** λ */
  readonly weightDecay: number
  /** "kernels" (the usual): tensors of rank above 1 only, so biases and normalisations do not decay. */
  readonly weightDecayOn?: "kernels" | "all"
}

/** What one update of one weight is made of. */
export interface Moved {
  readonly weight: tf.Variable
  /** v: shaped as the weight, starting at 0. */
  readonly velocity: tf.Variable
  readonly gradient: tf.Tensor
  /** The scalar η. */
  readonly learningRate: tf.Scalar
}

const decayOf = ({ weightDecay, weightDecayOn }: SgdOptions, weight: tf.Variable): number =>
  weight.rank > 1 || weightDecayOn === "all" ? weightDecay : 0

/** With Nesterov momentum, NAG: see `lib/tensor/sgd.ts` for the formula. */
export const nagUpdate = (options: SgdOptions, moved: Moved): void => {
  const { gradient, learningRate, velocity, weight } = moved
  const attrs = { momentum: options.momentum, decay: decayOf(options, weight) }
  const next = sgdStep({ weight, velocity, gradient, rate: learningRate }, attrs)
  weight.assign(next.weight)
  velocity.assign(next.velocity)
}

/** With momentum as in PyTorch's `SGD`: g' = g + λ w, v ← μ v + g', w ← w - η v. */
export const momentumUpdate = (
  options: SgdOptions,
  { gradient, learningRate, velocity, weight }: Moved
): void => {
  const decayed = tf.add(gradient, tf.mul(weight, decayOf(options, weight)))
  const next = tf.add(tf.mul(velocity, options.momentum), decayed)
  weight.assign(tf.sub(weight, tf.mul(next, learningRate)))
  velocity.assign(next)
}
