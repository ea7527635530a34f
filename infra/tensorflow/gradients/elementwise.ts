/**
 * Gradients of operations on two tensors. tfjs's own forget that what was broadcast has to be added up again.
 */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Gradient, gradient, sumTo } from "./Gradient.ts"

const inputs = ["a", "b"] as const

/** Each element hands its gradient to the one that was taken; to the left one where both are equal. */
const chosen = (kernel: string, takesLeft: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): Gradient =>
  gradient(kernel, { inputs }, ({ dy, kept }) => {
    const [a, b] = [kept.a!, kept.b!]
    const left = (): tf.Tensor => tf.cast(takesLeft(a, b), "float32")
    return {
      a: () => sumTo(tf.mul(dy, left()), a.shape),
      b: () => sumTo(tf.mul(dy, tf.sub(1, left())), b.shape)
    }
  })

const squaredDifference = gradient("SquaredDifference", { inputs }, ({ dy, kept }) => {
  const [a, b] = [kept.a!, kept.b!]
  const slope = (): tf.Tensor => tf.mul(dy, tf.mul(2, tf.sub(a, b)))
  return { a: () => sumTo(slope(), a.shape), b: () => sumTo(tf.neg(slope()), b.shape) }
})

export const elementwise: ReadonlyArray<Gradient> = [
  chosen("Maximum", tf.greaterEqual),
  chosen("Minimum", tf.lessEqual),
  squaredDifference
]
