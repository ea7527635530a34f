/**
 * One update of stochastic gradient descent with Nesterov momentum, in the form MXNet's NAG and PyTorch's
 * `SGD(nesterov=True)` share: g' = g + λ w, v ← μ v + g', w ← w - η (g' + μ v).
 */
import { tf } from "./tf.ts"

export const SGD_STEP = "SgdStep"

/** Attributes of the kernel; a type and not an interface because tfjs asks for an index signature. */
export type SgdAttrs = {
  /** μ */
  readonly momentum: number
  /** λ */
  readonly decay: number
}

/** Weight, velocity and gradient are shaped alike; `rate` is the scalar η. */
export type SgdInputs = {
  readonly [K in "weight" | "velocity" | "gradient" | "rate"]: tf.Tensor
}

/** The new weight and velocity; composed of tfjs's operations on backends without the kernel. */
export const sgdStep = (
  inputs: SgdInputs,
  attrs: SgdAttrs
): { readonly weight: tf.Tensor; readonly velocity: tf.Tensor } => {
  const fused = tf.getKernel(SGD_STEP, tf.getBackend()) != null
  const [weight, velocity] = fused
    ? (tf.engine().runKernel(SGD_STEP, inputs, attrs) as Array<tf.Tensor>)
    : composedSgdStep(inputs, attrs)
  return { weight: weight as tf.Tensor, velocity: velocity as tf.Tensor }
}

/** What the kernel computes, an operation after the other: its rounding is theirs. */
export const composedSgdStep = (
  { gradient, rate, velocity, weight }: SgdInputs,
  { decay, momentum }: SgdAttrs
): Array<tf.Tensor> => {
  const decayed = decay === 0 ? gradient : tf.add(gradient, tf.mul(weight, decay))
  const moved = tf.add(tf.mul(velocity, momentum), decayed)
  const direction = tf.add(decayed, tf.mul(moved, momentum))
  return [tf.sub(weight, tf.mul(direction, rate)), moved]
}
