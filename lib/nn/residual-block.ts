/**
 * The basic residual block (He et al. 2016): two 3x3 convolutions beside a shortcut. Where the shape changes,
 * shortcut A subsamples and widens with zeros (no weights), shortcut B projects with a 1x1 convolution.
 */
import type { BatchNormTail } from "../tensor/batch-norm.ts"
import { tf } from "../tensor/tf.ts"
import { type BatchNorm, batchNorm, batchNormWeights } from "./batch-norm.ts"
import { type Conv, conv2d, convMacs, convWeights } from "./conv.ts"
import type { Mode } from "./Mode.ts"
import type { WeightSpec, WeightTensors } from "./Weights.ts"

export type Shortcut = "A" | "B"

export interface ResidualBlock {
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  readonly stride: number
  readonly shortcut: Shortcut
}

/** A convolution and the normalisation that follows it. */
type ConvNorm = readonly [Conv, BatchNorm]

const first = ({ name, inputs, outputs, stride }: ResidualBlock): ConvNorm => [
  { name: `${name}.conv1`, size: 3, inputs, outputs, stride },
  { name: `${name}.bn1`, channels: outputs }
]

const second = ({ name, outputs }: ResidualBlock): ConvNorm => [
  { name: `${name}.conv2`, size: 3, inputs: outputs, outputs, stride: 1 },
  { name: `${name}.bn2`, channels: outputs }
]

const projection = ({ name, inputs, outputs, stride }: ResidualBlock): ConvNorm => [
  { name: `${name}.downsample.0`, size: 1, inputs, outputs, stride },
  { name: `${name}.downsample.1`, channels: outputs }
]

const changesShape = ({ inputs, outputs, stride }: ResidualBlock): boolean =>
  stride !== 1 || inputs !== outputs

const convNorms = (block: ResidualBlock): ReadonlyArray<ConvNorm> => [
  first(block),
  second(block),
  ...(changesShape(block) && block.shortcut === "B" ? [projection(block)] : [])
]

export const residualBlockWeights = (block: ResidualBlock): ReadonlyArray<WeightSpec> =>
  convNorms(block).flatMap(([conv, norm]) => [...convWeights(conv), ...batchNormWeights(norm)])

/** Multiply-accumulates of the convolutions for one image of `height` x `width` cells. */
export const residualBlockMacs = (block: ResidualBlock, height: number, width: number): number =>
  convNorms(block).reduce((macs, [conv]) => {
    // The second convolution reads what the first made smaller; the others read the block's input.
    const scale = conv.name.endsWith("conv2") ? block.stride : 1
    return macs + convMacs(conv, Math.ceil(height / scale), Math.ceil(width / scale))
  }, 0)

/** The same for blocks one after the other. */
export const residualBlocksMacs = (
  blocks: ReadonlyArray<ResidualBlock>,
  height: number,
  width: number
): number => {
  let [rows, columns, macs] = [height, width, 0]
  for (const block of blocks) {
    macs += residualBlockMacs(block, rows, columns)
    rows = Math.ceil(rows / block.stride)
    columns = Math.ceil(columns / block.stride)
  }
  return macs
}

/** `[N, H, W, inputs]` → `[N, ceil(H / stride), ceil(W / stride), outputs]` */
export const residualBlock = (
  weights: WeightTensors,
  block: ResidualBlock,
  x: tf.Tensor4D,
  mode: Mode
): tf.Tensor4D => {
  const convNorm = ([conv, norm]: ConvNorm, input: tf.Tensor4D, tail?: BatchNormTail) =>
    batchNorm(weights, norm, conv2d(weights, conv, input), mode, tail)
  const inner = convNorm(first(block), x, { activation: "relu" })
  const carried = shortcut(block, x, (input) => convNorm(projection(block), input))
  return convNorm(second(block), inner, { residual: carried, activation: "relu" })
}

const shortcut = (
  block: ResidualBlock,
  x: tf.Tensor4D,
  project: (x: tf.Tensor4D) => tf.Tensor4D
): tf.Tensor4D => {
  if (!changesShape(block)) return x
  return block.shortcut === "B" ? project(x) : subsampleAndWiden(block, x)
}

/**
 * Shortcut A: every `stride`-th pixel, channels padded with zeros on both sides. Written as a 1x1 convolution
 * with a constant 0/1 kernel: strided slices have no gradient in tfjs.
 */
const subsampleAndWiden = ({ inputs, outputs, stride }: ResidualBlock, x: tf.Tensor4D): tf.Tensor4D => {
  const offset = Math.floor((outputs - inputs) / 2)
  const kernel = new Float32Array(inputs * outputs)
  for (let channel = 0; channel < inputs; channel++) kernel[channel * outputs + channel + offset] = 1
  return tf.conv2d(x, tf.tensor4d(kernel, [1, 1, inputs, outputs]), stride, "valid")
}
