/** The fused kernels of `lib/tensor/batch-norm.ts`, composed. */
import {
  FUSED_BATCH_NORM,
  FUSED_BATCH_NORM_GRADIENT,
  type FusedBatchNormAttrs
} from "../../../lib/tensor/batch-norm.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { type PortableKernel, portableKernel } from "./PortableKernel.ts"

/**
 * Sum over batch, rows and columns, `[C]`. As products with a row of ones, an example at a time: backends
 * reduce leading axes by transposing everything first, and two short sums lose less precision than one long
 * one.
 */
const sumPerChannel = (x: tf.Tensor4D): tf.Tensor1D => {
  const [batch, height, width, channels] = x.shape
  const cells = tf.reshape(x, [batch, height * width, channels])
  const perExample = tf.matMul(tf.ones([batch, 1, height * width]), cells)
  return tf.reshape(tf.matMul(tf.ones([1, batch]), tf.reshape(perExample, [batch, channels])), [channels])
}

const cellsPerChannel = (x: tf.Tensor4D): number => x.shape[0] * x.shape[1] * x.shape[2]

const forward = portableKernel<
  { x: tf.Tensor4D; gamma: tf.Tensor1D; beta: tf.Tensor1D },
  FusedBatchNormAttrs
>(FUSED_BATCH_NORM, ({ x, gamma, beta }, { epsilon }) => {
  const count = cellsPerChannel(x)
  const mean = tf.div(sumPerChannel(x), count) as tf.Tensor1D
  const squares = sumPerChannel(tf.squaredDifference(x, mean))
  const biased = tf.div(squares, count)
  const inverseDeviation = tf.rsqrt(tf.add(biased, epsilon))
  const scale = tf.mul(gamma, inverseDeviation)
  const y = tf.add(tf.mul(x, scale), tf.sub(beta, tf.mul(mean, scale)))
  // A single cell has no unbiased variance; TensorFlow divides by 1 then, and so do we.
  const unbiased = tf.div(squares, Math.max(count - 1, 1))
  return [y, mean, unbiased, tf.clone(mean), inverseDeviation]
})

type GradientInputs = {
  readonly dy: tf.Tensor4D
  readonly x: tf.Tensor4D
  readonly gamma: tf.Tensor1D
  readonly savedMean: tf.Tensor1D
  /** 1 / sqrt(biased variance + epsilon), as the forward kernel above saves it. */
  readonly savedVariance: tf.Tensor1D
}

/**
 * dx = a * dy + b * (x - mean) + c with per-channel a, b and c (the paper's section 3, gathered by terms).
 */
const gradient = portableKernel<GradientInputs, FusedBatchNormAttrs>(
  FUSED_BATCH_NORM_GRADIENT,
  ({ dy, x, gamma, savedMean, savedVariance: inverseDeviation }) => {
    const count = cellsPerChannel(x)
    const centred = tf.sub(x, savedMean) as tf.Tensor4D
    const dbeta = sumPerChannel(dy)
    const dgamma = tf.mul(sumPerChannel(tf.mul(dy, centred)), inverseDeviation)
    const a = tf.mul(gamma, inverseDeviation)
    const b = tf.div(tf.mul(tf.mul(a, dgamma), inverseDeviation), -count)
    const c = tf.div(tf.mul(a, dbeta), -count)
    const dx = tf.add(tf.add(tf.mul(dy, a), tf.mul(centred, b)), c)
    return [dx, dgamma, dbeta]
  }
)

export const batchNormKernels: ReadonlyArray<PortableKernel> = [forward, gradient]
