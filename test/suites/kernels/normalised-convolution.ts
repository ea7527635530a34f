/** Convolutions with the batch normalisation by given statistics that follows them. */
import { activated, batchNormInference } from "../../../lib/tensor/batch-norm.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { between, type KernelCase, normal } from "./KernelCase.ts"
import type { KernelGroup } from "./KernelProperty.ts"

interface Layer {
  /** `[N, H, W, C]` */
  readonly image: readonly [number, number, number, number]
  readonly filter: readonly [number, number, number, number]
  readonly stride?: number
  readonly depthwise?: true
  readonly activation?: "relu" | "relu6"
  readonly residual?: true
}

type Given = [x: tf.Tensor4D, filter: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D, added: tf.Tensor4D]

const EPSILON = 1e-3

const statisticsOf = (channels: number) => ({
  mean: tf.linspace(-0.5, 0.5, channels),
  variance: tf.linspace(0.5, 2, channels)
})

const convolved = ({ depthwise, stride = 1 }: Layer, x: tf.Tensor4D, filter: tf.Tensor4D): tf.Tensor4D =>
  depthwise ? tf.depthwiseConv2d(x, filter, stride, "same") : tf.conv2d(x, filter, stride, "same")

const normalised = (name: string, layer: Layer): KernelCase => {
  const { activation, filter, image, residual, stride = 1 } = layer
  const channels = layer.depthwise ? filter[2] : filter[3]
  const [batch, height, width] = image
  const output = [batch, Math.ceil(height / stride), Math.ceil(width / stride), channels]
  return {
    name: `batchNormInference after a convolution, ${name}`,
    inputs: [
      normal(...image),
      normal(...filter),
      between(0.5, 1.5, [channels]),
      normal(channels),
      normal(...output)
    ],
    apply: (...[x, kernel, gamma, beta, added]: Given) => {
      const tail = { activation, residual: residual && added }
      const y = convolved(layer, x, kernel)
      return [batchNormInference(y, gamma, beta, statisticsOf(channels), EPSILON, tail), tf.mul(added, 2)]
    },
    reference: (...[x, kernel, gamma, beta, added]: Given) => {
      const { mean, variance } = statisticsOf(channels)
      const y = tf.batchNorm(convolved(layer, x, kernel), mean, variance, beta, gamma, EPSILON)
      return [activated(residual ? tf.add(y, added) : y, activation), tf.mul(added, 2)]
    },
    // Where rectified values lie on either side of the kink is up to the rounding.
    gradient: activation === undefined ? "reference" : "none",
    heavy: true
  }
}

/** The convolution's own result is wanted as well. */
const shared: KernelCase = {
  name: "batchNormInference after a convolution, which others read",
  inputs: [normal(2, 5, 6, 8), normal(3, 3, 8, 20), between(0.5, 1.5, [20]), normal(20)],
  apply: (x: tf.Tensor4D, filter: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D) => {
    const y = tf.conv2d(x, filter, 1, "same")
    const z = batchNormInference(y, gamma, beta, statisticsOf(20), EPSILON)
    return [y, z, tf.add(y, z)]
  },
  reference: (x: tf.Tensor4D, filter: tf.Tensor4D, gamma: tf.Tensor1D, beta: tf.Tensor1D) => {
    const { mean, variance } = statisticsOf(20)
    const y = tf.conv2d(x, filter, 1, "same")
    const z = tf.batchNorm(y, mean, variance, beta, gamma, EPSILON)
    return [y, z, tf.add(y, z)]
  },
  gradient: "reference",
  heavy: true
}

export const normalisedConvolutions: KernelGroup = {
  cases: [
    normalised("pointwise", { image: [2, 5, 6, 16], filter: [1, 1, 16, 40] }),
    normalised("pointwise, rectified", {
      image: [1, 7, 7, 24],
      filter: [1, 1, 24, 64],
      activation: "relu6"
    }),
    normalised("pointwise, residual", {
      image: [2, 5, 6, 16],
      filter: [1, 1, 16, 72],
      activation: "relu",
      residual: true
    }),
    normalised("3 x 3 by Winograd's filtering", { image: [2, 14, 14, 16], filter: [3, 3, 16, 20] }),
    normalised("3 x 3 by Winograd's filtering, residual", {
      image: [2, 13, 14, 16],
      filter: [3, 3, 16, 48],
      activation: "relu",
      residual: true
    }),
    normalised("few channels with a stride", {
      image: [2, 9, 8, 3],
      filter: [3, 3, 3, 7],
      stride: 2,
      activation: "relu"
    }),
    normalised("tiles of images", {
      image: [9, 4, 4, 8],
      filter: [3, 3, 8, 24],
      activation: "relu",
      residual: true
    }),
    normalised("depthwise", { image: [2, 9, 8, 40], filter: [3, 3, 40, 1], depthwise: true }),
    normalised("depthwise with a stride", {
      image: [2, 9, 8, 40],
      filter: [3, 3, 40, 1],
      depthwise: true,
      stride: 2,
      activation: "relu6"
    }),
    normalised("depthwise, residual", {
      image: [2, 5, 6, 8],
      filter: [3, 3, 8, 1],
      depthwise: true,
      activation: "relu",
      residual: true
    }),
    shared
  ],
  properties: []
}
