/**
 * Batch normalisation as it trains (Ioffe & Szegedy, arXiv 1502.03167, algorithm 1), as one fused operation:
 * a backend brings the kernels `FusedBatchNormV3` and `FusedBatchNormGradV3` (see `infra/tensorflow`), the
 * gradient is here.
 */
import { tf } from "./tf.ts"

export const FUSED_BATCH_NORM = "FusedBatchNormV3"
export const FUSED_BATCH_NORM_GRADIENT = "FusedBatchNormGradV3"

/** Attributes of both kernels; a type and not an interface because tfjs asks for an index signature. */
export type FusedBatchNormAttrs = {
  /** Added to the variance before the square root. */
  readonly epsilon: number
}

export interface BatchNorm {
  /** `[N, H, W, C]`: `gamma * (x - mean) / sqrt(biased variance + epsilon) + beta`. */
  readonly y: tf.Tensor4D
  /** `[C]`, over batch, rows and columns. */
  readonly mean: tf.Tensor1D
  /**
   * `[C]`, the **unbiased** variance (divided by `N*H*W - 1`): what running statistics absorb, as in PyTorch.
   * The normalisation itself uses the biased one.
   */
  readonly variance: tf.Tensor1D
}

/**
 * Normalises each channel by the statistics of this batch.
 * @param x `[N, H, W, C]` · @param gamma `[C]` · @param beta `[C]`
 *
 * Gradients flow through `y` only: `mean` and `variance` are for running statistics.
 */
export const batchNormTraining = (
  x: tf.Tensor4D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  epsilon: number
): BatchNorm => {
  const attrs: FusedBatchNormAttrs = { epsilon }
  const outputs = tf
    .engine()
    .runKernel(FUSED_BATCH_NORM, { x, gamma, beta }, attrs) as ReadonlyArray<tf.Tensor>
  const [y, mean, variance] = outputs
  return { y: y as tf.Tensor4D, mean: mean as tf.Tensor1D, variance: variance as tf.Tensor1D }
}

/**
 * The forward kernel's outputs are `y`, `mean`, `variance` and two more that only the gradient kernel
 * understands (TensorFlow keeps mean and biased variance there, or the inverse deviation); they are saved on
 * the tape.
 */
tf.registerGradient({
  kernelName: FUSED_BATCH_NORM,
  inputsToSave: ["x", "gamma"],
  outputsToSave: [false, false, false, true, true],
  gradFunc: (dys, saved, attrs) => {
    const dy = (Array.isArray(dys) ? dys[0] : dys) as tf.Tensor
    const [x, gamma, savedMean, savedVariance] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
    // Run here and not inside the functions below: tfjs tidies each of them, which would dispose shared
    // outputs.
    const gradients = tf
      .engine()
      .runKernel(
        FUSED_BATCH_NORM_GRADIENT,
        { dy, x, gamma, savedMean, savedVariance },
        attrs
      ) as Array<tf.Tensor>
    const [dx, dgamma, dbeta] = gradients as [tf.Tensor, tf.Tensor, tf.Tensor]
    return { x: () => dx, gamma: () => dgamma, beta: () => dbeta }
  }
})
