/** The fused kernels of `lib/tensor/batch-norm.ts`, composed. */
import {
  type Activation,
  activated,
  BATCH_NORM_INFERENCE,
  BATCH_NORM_INFERENCE_GRADIENT,
  BATCH_NORM_TRAINING,
  BATCH_NORM_TRAINING_GRADIENT,
  type BatchNormAttrs,
  type GradientInputs
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

interface ForwardInputs {
  readonly x: tf.Tensor4D
  readonly gamma: tf.Tensor1D
  readonly beta: tf.Tensor1D
  readonly residual?: tf.Tensor4D
}

/** `act(gamma * (x - mean) * inverseDeviation + beta [+ residual])` */
const normalised = (
  { beta, gamma, residual, x }: ForwardInputs,
  mean: tf.Tensor,
  inverseDeviation: tf.Tensor,
  activation: Activation
): tf.Tensor => {
  const scale = tf.mul(gamma, inverseDeviation)
  const y = tf.add(tf.mul(x, scale), tf.sub(beta, tf.mul(mean, scale)))
  return activated(residual === undefined ? y : tf.add(y, residual), activation)
}

const training = portableKernel<ForwardInputs, BatchNormAttrs>(
  BATCH_NORM_TRAINING,
  (inputs, { activation, epsilon }) => {
    const { x } = inputs
    const count = cellsPerChannel(x)
    const mean = tf.div(sumPerChannel(x), count)
    const squares = sumPerChannel(tf.squaredDifference(x, mean))
    const inverseDeviation = tf.rsqrt(tf.add(tf.div(squares, count), epsilon))
    // A single cell has no unbiased variance; TensorFlow divides by 1 then, and so do we.
    const unbiased = tf.div(squares, Math.max(count - 1, 1))
    const z = normalised(inputs, mean, inverseDeviation, activation)
    return [z, mean, unbiased, inverseDeviation]
  }
)

const inference = portableKernel<
  ForwardInputs & { readonly mean: tf.Tensor1D; readonly variance: tf.Tensor1D },
  BatchNormAttrs
>(BATCH_NORM_INFERENCE, (inputs, { activation, epsilon }) =>
  normalised(inputs, inputs.mean, tf.rsqrt(tf.add(inputs.variance, epsilon)), activation)
)

/** What of `dz` the activation lets through to `y`: nothing where it cut off. */
const passed = (dz: tf.Tensor, z: tf.Tensor, activation: Activation): tf.Tensor => {
  if (activation === "none") return dz
  const open = activation === "relu" ? tf.greater(z, 0) : tf.logicalAnd(tf.greater(z, 0), tf.less(z, 6))
  return tf.mul(dz, tf.cast(open, "float32"))
}

const gradient = portableKernel<GradientInputs, BatchNormAttrs>(
  BATCH_NORM_TRAINING_GRADIENT,
  ({ dz, gamma, mean, spread: inverseDeviation, x, z }, { activation, residual }) => {
    const dy = passed(dz, z, activation)
    const count = cellsPerChannel(x as tf.Tensor4D)
    const { centred, dbeta, dgamma } = parameterGradients(dy, x, mean, inverseDeviation)
    // dx = a * dy + b * (x - mean) + c with per-channel numbers (the paper's section 3, gathered by terms).
    const a = tf.mul(gamma, inverseDeviation)
    const b = tf.div(tf.mul(tf.mul(a, dgamma), inverseDeviation), -count)
    const c = tf.div(tf.mul(a, dbeta), -count)
    const dx = tf.add(tf.add(tf.mul(dy, a), tf.mul(centred, b)), c)
    return [dx, dgamma, dbeta, ...(residual ? [tf.clone(dy)] : [])]
  }
)

const inferenceGradient = portableKernel<GradientInputs, BatchNormAttrs>(
  BATCH_NORM_INFERENCE_GRADIENT,
  ({ dz, gamma, mean, spread: variance, x, z }, { activation, epsilon, residual }) => {
    const dy = passed(dz, z, activation)
    const inverseDeviation = tf.rsqrt(tf.add(variance, epsilon))
    const { dbeta, dgamma } = parameterGradients(dy, x, mean, inverseDeviation)
    const dx = tf.mul(dy, tf.mul(gamma, inverseDeviation))
    return [dx, dgamma, dbeta, ...(residual ? [tf.clone(dy)] : [])]
  }
)

const parameterGradients = (dy: tf.Tensor, x: tf.Tensor, mean: tf.Tensor, inverseDeviation: tf.Tensor) => {
  const centred = tf.sub(x, mean)
  const dbeta = sumPerChannel(dy as tf.Tensor4D)
  const dgamma = tf.mul(sumPerChannel(tf.mul(dy, centred)), inverseDeviation)
  return { centred, dbeta, dgamma }
}

export const batchNormKernels: ReadonlyArray<PortableKernel> = [
  training,
  gradient,
  inference,
  inferenceGradient
]
