/** Batch normalisation (Ioffe & Szegedy 2015), with PyTorch's names, epsilon and momentum. */
import { type BatchNormTail, batchNormInference, batchNormTraining } from "../tensor/batch-norm.ts"
import { tf } from "../tensor/tf.ts"
import type { Mode } from "./Mode.ts"
import { type WeightSpec, type WeightTensors, weightOf } from "./Weights.ts"

const usualEpsilon = 1e-5

/** The share of the newest batch in the running statistics (PyTorch's convention; MXNet calls it 0.9). */
const momentum = 0.1

export interface BatchNorm {
  readonly name: string
  readonly channels: number
  /** Whether it is the last of a residual block's branch. */
  readonly closesBranch?: true
  /** Added to the variance; 1e-5 where left out. */
  readonly epsilon?: number
}

export const batchNormWeights = (norm: BatchNorm): ReadonlyArray<WeightSpec> => {
  const { name, channels, closesBranch } = norm
  return [
    { name: `${name}.weight`, shape: [channels], role: "scale", ...(closesBranch && { closesBranch }) },
    { name: `${name}.bias`, shape: [channels], role: "shift" },
    { name: `${name}.running_mean`, shape: [channels], role: "running-mean" },
    { name: `${name}.running_var`, shape: [channels], role: "running-variance" }
  ]
}

/**
 * Normalises each channel of `[N, H, W, C]` over N, H and W, and does what follows in the same operation;
 * training mode records the batch's statistics.
 */
export const batchNorm = (
  weights: WeightTensors,
  { epsilon = usualEpsilon, name }: BatchNorm,
  x: tf.Tensor4D,
  mode: Mode,
  tail: BatchNormTail = {}
): tf.Tensor4D => {
  const gamma = weightOf(weights, `${name}.weight`) as tf.Tensor1D
  const beta = weightOf(weights, `${name}.bias`) as tf.Tensor1D
  if (mode.kind === "training" && mode.frozen?.(`${name}.running_mean`) !== true) {
    const { y, mean, variance } = batchNormTraining(x, gamma, beta, epsilon, tail)
    mode.statistics.record(`${name}.running_mean`, mean)
    mode.statistics.record(`${name}.running_var`, variance)
    return y
  }
  const mean = weightOf(weights, `${name}.running_mean`) as tf.Tensor1D
  const variance = weightOf(weights, `${name}.running_var`) as tf.Tensor1D
  return batchNormInference(x, gamma, beta, { mean, variance }, epsilon, tail)
}

/** running + momentum (observed - running) */
export const movedStatistic = (running: tf.Tensor, observed: tf.Tensor): tf.Tensor =>
  tf.add(running, tf.mul(tf.sub(observed, running), momentum))
