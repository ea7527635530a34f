/** A convolution and the batch normalisation that follows it: what most networks are made of. */
import type { BatchNormTail } from "../tensor/batch-norm.ts"
import type { tf } from "../tensor/tf.ts"
import { type BatchNorm, batchNorm, batchNormWeights } from "./batch-norm.ts"
import { type Conv, conv2d, convExtents, convMacs, convWeights } from "./conv.ts"
import type { Mode } from "./Mode.ts"
import type { WeightSpec, WeightTensors } from "./Weights.ts"

export interface ConvNorm {
  readonly conv: Conv
  readonly norm: BatchNorm
}

export const convNormWeights = ({ conv, norm }: ConvNorm): ReadonlyArray<WeightSpec> => [
  ...convWeights(conv),
  ...batchNormWeights(norm)
]

/** `[N, H, W, inputs]` → `[N, H', W', outputs]`, H' and W' = `convExtents` */
export const convNorm = (
  weights: WeightTensors,
  { conv, norm }: ConvNorm,
  x: tf.Tensor4D,
  mode: Mode,
  tail?: BatchNormTail
): tf.Tensor4D => batchNorm(weights, norm, conv2d(weights, conv, x), mode, tail)

/** One after the other, a ReLU behind each. */
export const convNorms = (
  weights: WeightTensors,
  chain: ReadonlyArray<ConvNorm>,
  x: tf.Tensor4D,
  mode: Mode
): tf.Tensor4D => chain.reduce((y, each) => convNorm(weights, each, y, mode, { activation: "relu" }), x)

/** What one image costs, and the size of what comes out. */
export interface Cost {
  /** Multiply-accumulates of the convolutions. */
  readonly macs: number
  readonly height: number
  readonly width: number
}

/** Of a chain that is given one image of `height` x `width` cells. */
export const convNormsCost = (chain: ReadonlyArray<ConvNorm>, height: number, width: number): Cost =>
  chain.reduce<Cost>(
    (cost, { conv }) => {
      const [rows, columns] = convExtents(conv, cost.height, cost.width)
      return { macs: cost.macs + convMacs(conv, cost.height, cost.width), height: rows, width: columns }
    },
    { macs: 0, height, width }
  )
