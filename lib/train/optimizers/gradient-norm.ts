/** Clipping by the norm of all gradients together (Pascanu et al. 2013, arXiv 1211.5063 §3.2). */
import { tf } from "../../tensor/tf.ts"

export type Gradients = Readonly<Record<string, tf.Tensor>>

/** The gradients, scaled by `normMax / norm` where their common Euclidean norm is above `normMax`. */
export const clippedGradients = (gradients: Gradients, normMax: number): Gradients => {
  const squares = Object.values(gradients).map((gradient) => tf.sum(tf.square(gradient)))
  const norm = tf.sqrt(tf.addN(squares))
  const factor = tf.div(normMax, tf.maximum(norm, normMax))
  return Object.fromEntries(
    Object.entries(gradients).map(([name, gradient]) => [name, tf.mul(gradient, factor)])
  )
}
