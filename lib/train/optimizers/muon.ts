/**
 * Muon (Keller Jordan et al. 2024, kellerjordan.github.io/posts/muon): momentum, made orthogonal. Of its
 * matrices the update keeps the directions and makes their sizes alike, about 1.
 */
import type { WeightSpec } from "../../nn/Weights.ts"
import { tf } from "../../tensor/tf.ts"
import type { Moved } from "./sgd.ts"

export interface MuonOptions {
  /** Muon's rate is so many times the learning rate, which goes for the other weights. */
  readonly rateFactor: number
  /** μ */
  readonly momentum: number
  /** λ, apart from the gradient: w shrinks by η λ of itself. */
  readonly weightDecay: number
}

/**
 * The weights that Muon is for: convolutions, but for the first one and depthwise ones. As the write-up has
 * it, the layers at the input and at the output (here every linear one) stay with SGD, and so do biases and
 * normalisations.
 */
export const orthogonalWeights = (specs: ReadonlyArray<WeightSpec>): ReadonlySet<string> => {
  const [, ...kernels] = specs.filter(({ role }) => role === "kernel")
  return new Set(kernels.filter(({ shape }) => shape.length === 4 && shape[2]! > 1).map(({ name }) => name))
}

const [a, b, c] = [3.4445, -4.775, 2.0315]
const NUM_ITERATIONS = 5

/**
 * `[M, N]` with all singular values between about 0.7 and 1.2: five iterations of the quintic
 * X ← a X + (b A + c A²) X, A = X Xᵀ (Newton-Schulz), from the matrix divided by its Frobenius norm.
 */
export const orthogonalized = (matrix: tf.Tensor2D): tf.Tensor2D => {
  const [rows, columns] = matrix.shape
  if (rows > columns) return tf.transpose(orthogonalized(tf.transpose(matrix)))
  const norm = tf.sqrt(tf.sum(tf.square(matrix)))
  let x: tf.Tensor2D = tf.div(matrix, tf.add(norm, 1e-7))
  for (let iteration = 0; iteration < NUM_ITERATIONS; iteration++) {
    const gram = tf.matMul(x, x, false, true)
    const polynomial = tf.add(tf.mul(gram, b), tf.mul(tf.matMul(gram, gram), c))
    x = tf.add(tf.mul(x, a), tf.matMul(polynomial as tf.Tensor2D, x))
  }
  return x
}

/**
 * v ← μ v + g, w ← (1 - η λ) w - η s O(g + μ v) with η = rateFactor · learning rate. A kernel
 * `[height, width, in, out]` is the matrix [out, height · width · in], and s = √max(1, rows / columns).
 */
export const muonUpdate = (
  { momentum, rateFactor, weightDecay }: MuonOptions,
  { gradient, learningRate, velocity, weight }: Moved
): void => {
  const outputs = weight.shape.at(-1)!
  const next = tf.add(tf.mul(velocity, momentum), gradient)
  const direction = tf.add(gradient, tf.mul(next, momentum))
  const columns = weight.size / outputs
  // Transposed: what is made orthogonal is so from both sides, in whatever order its columns come.
  const update = tf.reshape(orthogonalized(tf.reshape(direction, [columns, outputs])), weight.shape)
  const rate = tf.mul(learningRate, rateFactor)
  const decayed = tf.mul(weight, tf.sub(1, tf.mul(rate, weightDecay)))
  const scale = Math.sqrt(Math.max(1, outputs / columns))
  weight.assign(tf.sub(decayed, tf.mul(update, tf.mul(rate, scale))))
  velocity.assign(next)
}
