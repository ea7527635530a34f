/**
 * Batch normalisation (Ioffe & Szegedy, arXiv 1502.03167) with what follows it, the addition of a residual
 * and an activation, as one fused operation: a backend brings the kernels named here (see
 * `infra/tensorflow`), the gradients are here.
 */
import { tf } from "./tf.ts"

export const BATCH_NORM_TRAINING = "BatchNormTraining"
export const BATCH_NORM_TRAINING_GRADIENT = "BatchNormTrainingGradient"
export const BATCH_NORM_INFERENCE = "BatchNormInference"
export const BATCH_NORM_INFERENCE_GRADIENT = "BatchNormInferenceGradient"

export type Activation = "none" | "relu" | "relu6"

/** Attributes of all four; a type and not an interface because tfjs asks for an index signature. */
export type BatchNormAttrs = {
  /** Added to the variance before the square root. */
  readonly epsilon: number
  readonly activation: Activation
  /** Whether there is an input `residual`. Never without an activation. */
  readonly residual: boolean
}

/** What follows the normalisation: first the residual is added, then the activation applied. */
export interface BatchNormTail {
  /** Shaped like x. */
  readonly residual?: tf.Tensor4D | undefined
  readonly activation?: Exclude<Activation, "none"> | undefined
}

export interface BatchNorm {
  /** `[N, H, W, C]`: `act(gamma * (x - mean) / sqrt(biased variance + epsilon) + beta [+ residual])`. */
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
  epsilon: number,
  { activation, residual }: BatchNormTail = {}
): BatchNorm => {
  if (activation === undefined && residual !== undefined) {
    // The gradient of a sum is the sum's own: nothing to fuse.
    const plain = batchNormTraining(x, gamma, beta, epsilon)
    return { ...plain, y: tf.add(plain.y, residual) }
  }
  const inputs = { x, gamma, beta, ...(residual && { residual }) }
  const attrs = attrsOf(epsilon, { activation, residual })
  const outputs = tf.engine().runKernel(BATCH_NORM_TRAINING, inputs, attrs) as ReadonlyArray<tf.Tensor>
  const [y, mean, variance] = outputs
  return { y: y as tf.Tensor4D, mean: mean as tf.Tensor1D, variance: variance as tf.Tensor1D }
}

/** Statistics that were measured before, `[C]` each; the variance is the unbiased one. */
export interface Statistics {
  readonly mean: tf.Tensor1D
  readonly variance: tf.Tensor1D
}

/**
 * The same by given statistics, `[N, H, W, C]`; no gradient flows into them. On backends without the kernel
 * it is composed of tfjs's operations.
 */
export const batchNormInference = (
  x: tf.Tensor4D,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  { mean, variance }: Statistics,
  epsilon: number,
  { activation, residual }: BatchNormTail = {}
): tf.Tensor4D => {
  const fused = tf.getKernel(BATCH_NORM_INFERENCE, tf.getBackend()) != null
  if (!fused || (activation === undefined && residual !== undefined)) {
    const y = fused
      ? batchNormInference(x, gamma, beta, { mean, variance }, epsilon)
      : (tf.batchNorm(x, mean, variance, beta, gamma, epsilon) as tf.Tensor4D)
    return activated(residual === undefined ? y : tf.add(y, residual), activation)
  }
  const inputs = { x, gamma, beta, mean, variance, ...(residual && { residual }) }
  return tf.engine().runKernel(BATCH_NORM_INFERENCE, inputs, attrsOf(epsilon, { activation, residual }))
}

const attrsOf = (epsilon: number, { activation, residual }: BatchNormTail): BatchNormAttrs => ({
  epsilon,
  activation: activation ?? "none",
  residual: residual !== undefined
})

export const activated = <T extends tf.Tensor>(x: T, activation: Activation = "none"): T =>
  activation === "none" ? x : activation === "relu" ? tf.relu(x) : tf.relu6(x)

/**
 * The forward kernel's outputs are `y`, `mean`, `variance` and one more that only the gradient kernel
 * understands (the biased variance or the inverse deviation); what the gradient wants of them is saved on the
 * tape.
 */
tf.registerGradient({
  kernelName: BATCH_NORM_TRAINING,
  inputsToSave: ["x", "gamma", "beta"],
  outputsToSave: [true, true, false, true],
  gradFunc: (dys, saved, attrs) => {
    const [x, gamma, beta, z, mean, spread] = saved as [tf.Tensor, ...ReadonlyArray<tf.Tensor>]
    const inputs = { dz: firstOf(dys), x, z, gamma, beta, mean, spread } as GradientInputs
    return gradientsBy(BATCH_NORM_TRAINING_GRADIENT, inputs, attrs as unknown as BatchNormAttrs)
  }
})

tf.registerGradient({
  kernelName: BATCH_NORM_INFERENCE,
  inputsToSave: ["x", "gamma", "beta", "mean", "variance"],
  outputsToSave: [true],
  gradFunc: (dys, saved, attrs) => {
    const [x, gamma, beta, mean, spread, z] = saved as [tf.Tensor, ...ReadonlyArray<tf.Tensor>]
    const inputs = { dz: firstOf(dys), x, z, gamma, beta, mean, spread } as GradientInputs
    return gradientsBy(BATCH_NORM_INFERENCE_GRADIENT, inputs, attrs as unknown as BatchNormAttrs)
  }
})

/**
 * Inputs of both gradient kernels. `z` is what came out, `spread` the saved fourth output, or the given
 * variance in inference. Outputs: the gradients of x, gamma and beta, and of the residual if there was one.
 */
export type GradientInputs = {
  readonly [K in "dz" | "x" | "z" | "gamma" | "beta" | "mean" | "spread"]: tf.Tensor
}

const firstOf = (dys: tf.Tensor | Array<tf.Tensor>): tf.Tensor =>
  (Array.isArray(dys) ? dys[0] : dys) as tf.Tensor

/**
 * Run here and not in the functions given back: tfjs tidies each of them, which would dispose shared outputs.
 */
const gradientsBy = (kernel: string, inputs: GradientInputs, attrs: BatchNormAttrs) => {
  const gradients = tf.engine().runKernel(kernel, inputs, attrs) as Array<tf.Tensor>
  const [dx, dgamma, dbeta, dresidual] = gradients as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
  return { x: () => dx, gamma: () => dgamma, beta: () => dbeta, residual: () => dresidual }
}
