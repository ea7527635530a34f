/**
 * Residual blocks (He et al., CVPR 2016): a branch of convolutions beside a shortcut, added and rectified.
 * The basic block has two 3x3 convolutions, the bottleneck (figure 5) a 1x1, a 3x3 and a 1x1 that widens four
 * times.
 */
import { tf } from "../tensor/tf.ts"
import type { BatchNorm } from "./batch-norm.ts"
import type { Conv } from "./conv.ts"
import { type ConvNorm, type Cost, convNorm, convNorms, convNormsCost, convNormWeights } from "./conv-norm.ts"
import type { Mode } from "./Mode.ts"
import {
  type BlockShape,
  type Shortcut,
  shortcut,
  shortcutMacs,
  shortcutOf,
  shortcutWeights
} from "./shortcut.ts"
import type { WeightSpec, WeightTensors } from "./Weights.ts"

export interface ResidualBlock {
  /** A ReLU is behind each but the last, which the shortcut is added to. */
  readonly branch: ReadonlyArray<ConvNorm>
  readonly shortcut: Shortcut
}

/** Two 3x3 convolutions. */
export const basicBlock = (shape: BlockShape): ResidualBlock => {
  const { dilations: [before, after] = [1, 1], inputs, name, outputs, stride } = shape
  const first = { size: 3, inputs, outputs, stride, dilation: before }
  const second = { size: 3, inputs: outputs, outputs, stride: 1, dilation: after }
  return { branch: branchOf(name, [first, second]), shortcut: shortcutOf(shape) }
}

/** How many times as wide as its 3x3 convolution a bottleneck ends. */
export const bottleneckExpansion = 4

/**
 * 1x1, 3x3 and 1x1 convolutions. `strideIn` says which one has the block's stride: the first (He et al. 2016;
 * ResNet-A of He et al. 2018) or the second (ResNet-B).
 */
export const bottleneckBlock = (shape: BlockShape & { readonly strideIn: 1 | 2 }): ResidualBlock => {
  const { dilations: [before, after] = [1, 1], inputs, name, outputs, stride, strideIn } = shape
  const width = outputs / bottleneckExpansion
  const narrowing = { size: 1, inputs, outputs: width, stride: strideIn === 1 ? stride : 1 }
  const middle = strideIn === 1 ? { stride: 1, dilation: after } : { stride, dilation: before }
  const widening = { size: 1, inputs: width, outputs, stride: 1 }
  return {
    branch: branchOf(name, [narrowing, { size: 3, inputs: width, outputs: width, ...middle }, widening]),
    shortcut: shortcutOf(shape)
  }
}

/** Numbered from 1, as PyTorch's models do: conv1, bn1, conv2, … */
const branchOf = (name: string, convs: ReadonlyArray<Omit<Conv, "name">>): ReadonlyArray<ConvNorm> =>
  convs.map((conv, index) => {
    const norm: BatchNorm = { name: `${name}.bn${index + 1}`, channels: conv.outputs }
    return {
      conv: { name: `${name}.conv${index + 1}`, ...conv },
      norm: index === convs.length - 1 ? { ...norm, closesBranch: true } : norm
    }
  })

export const residualBlockWeights = (block: ResidualBlock): ReadonlyArray<WeightSpec> => [
  ...block.branch.flatMap(convNormWeights),
  ...shortcutWeights(block.shortcut)
]

/** Multiply-accumulates of blocks one after the other, for one image of `height` x `width` cells. */
export const residualBlocksMacs = (
  blocks: ReadonlyArray<ResidualBlock>,
  height: number,
  width: number
): number =>
  blocks.reduce<Cost>(
    (cost, block) => {
      const branch = convNormsCost(block.branch, cost.height, cost.width)
      const carried = shortcutMacs(block.shortcut, cost.height, cost.width)
      return { ...branch, macs: cost.macs + branch.macs + carried }
    },
    { macs: 0, height, width }
  ).macs

/** Blocks one after the other; `place` is the first one's among all of the network's, from 0. */
export const residualBlocks = (
  weights: WeightTensors,
  blocks: ReadonlyArray<ResidualBlock>,
  place: number,
  x: tf.Tensor4D,
  mode: Mode
): tf.Tensor4D =>
  blocks.reduce((input, block, index) => residualBlock(weights, block, place + index, input, mode), x)

/** `[N, H, W, inputs]` → `[N, ceil(H / stride), ceil(W / stride), outputs]` */
const residualBlock = (
  weights: WeightTensors,
  block: ResidualBlock,
  place: number,
  x: tf.Tensor4D,
  mode: Mode
): tf.Tensor4D => {
  const inner = convNorms(weights, block.branch.slice(0, -1), x, mode)
  const residual = shortcut(weights, block.shortcut, x, mode)
  const last = block.branch.at(-1)!
  const kept = keptOfBlock(mode, place)
  if (kept === undefined) return convNorm(weights, last, inner, mode, { residual, activation: "relu" })
  return tf.relu(tf.add<tf.Tensor4D>(tf.mul(convNorm(weights, last, inner, mode), kept), residual))
}

/**
 * A factor for each example's branch, `[N, 1, 1, 1]`. Which blocks an example skips comes with the batch,
 * as what dropout keeps does. All branches are computed, so their normalisations see the whole batch.
 */
const keptOfBlock = (mode: Mode, place: number): tf.Tensor4D | undefined => {
  if (mode.kind !== "training" || mode.keptBlocks === undefined) return undefined
  const { keptBlocks } = mode
  return tf.reshape(tf.slice(keptBlocks, [0, place], [-1, 1]), [-1, 1, 1, 1])
}
