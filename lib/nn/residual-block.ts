/**
 * Residual blocks (He et al., CVPR 2016): a branch of convolutions beside a shortcut, added and rectified.
 * The basic block has two 3x3 convolutions, the bottleneck (figure 5) a 1x1, a 3x3 and a 1x1 that widens four
 * times.
 */
import type { tf } from "../tensor/tf.ts"
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

/** `[N, H, W, inputs]` → `[N, ceil(H / stride), ceil(W / stride), outputs]` */
export const residualBlock = (
  weights: WeightTensors,
  block: ResidualBlock,
  x: tf.Tensor4D,
  mode: Mode
): tf.Tensor4D => {
  const inner = convNorms(weights, block.branch.slice(0, -1), x, mode)
  const residual = shortcut(weights, block.shortcut, x, mode)
  return convNorm(weights, block.branch.at(-1)!, inner, mode, { residual, activation: "relu" })
}
