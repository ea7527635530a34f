/**
 * ResNets for large images (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1)
 * and the variants B, C and D of "Bag of Tricks for Image Classification with CNNs" (He et al. 2018, arXiv
 * 1812.01187, §4.1 and figure 2): a stem and a max pool, which quarter the resolution, and four groups of
 * basic or bottleneck blocks. Shortcuts are projections wherever the shape changes.
 *
 * Names and padding are torchvision's for A and B, timm's for C, D and S (`conv1.0`, `conv1.1`, `conv1.3`, …;
 * D's projections are `downsample.1` and `.2`), so their weights fit.
 */
import { type ConvNorm, convNorms, convNormsCost, convNormWeights } from "../../nn/conv-norm.ts"
import { maxPoolHalving } from "../../nn/max-pool.ts"
import {
  basicBlock,
  bottleneckBlock,
  bottleneckExpansion,
  type ResidualBlock,
  residualBlocks,
  residualBlocksMacs,
  residualBlockWeights
} from "../../nn/residual-block.ts"
import type { tf } from "../../tensor/tf.ts"
import type { ResNet } from "../Architecture.ts"
import type { Backbone, BackboneModule } from "../Backbone.ts"

/** Blocks of each group: of two layers, of three from depth 50 on; stem and classifier are one layer each. */
const blockCounts = {
  10: [1, 1, 1, 1],
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3]
} as const

export const make: BackboneModule<ResNet>["make"] = (architecture, imageChannels): Backbone => {
  const stem = stemOf(architecture, imageChannels)
  const groups = groupsOf(architecture, stem.at(-1)!.conv.outputs)
  const feature = (index: GroupIndex) => ({
    channels: outputsOf(architecture, index),
    stride: strideAfter(architecture, index)
  })
  return {
    weights: [...stem.flatMap(convNormWeights), ...groups.flat().flatMap(residualBlockWeights)],
    numResidualBlocks: groups.flat().length,
    features: { c2: feature(0), c3: feature(1), c4: feature(2), c5: feature(3) },
    apply: (weights, images, mode) => {
      const run = (index: GroupIndex, input: tf.Tensor4D) => {
        const before = groups.slice(0, index).flat().length
        return residualBlocks(weights, groups[index], before, input, mode)
      }
      const c2 = run(0, maxPoolHalving(convNorms(weights, stem, images, mode)))
      const c3 = run(1, c2)
      const c4 = run(2, c3)
      return { c2, c3, c4, c5: run(3, c4) }
    },
    macs: (height, width) => {
      const stemmed = convNormsCost(stem, height, width)
      const pooled = (extent: number) => Math.ceil(extent / 2)
      return stemmed.macs + residualBlocksMacs(groups.flat(), pooled(stemmed.height), pooled(stemmed.width))
    }
  }
}

/**
 * A and B: a 7x7 convolution with stride 2. C, D and S: three of 3x3, the first with stride 2; the paper's
 * sentence could be read as two of them having it, its figure and its code have one.
 */
const stemOf = ({ variant = "B", width }: ResNet, imageChannels: number): ReadonlyArray<ConvNorm> => {
  const last = { name: "bn1", channels: variant === "S" ? 2 * width : width }
  if (variant === "A" || variant === "B") {
    const conv = { name: "conv1", size: 7, inputs: imageChannels, outputs: width, stride: 2 }
    return [{ conv, norm: last }]
  }
  const narrow = variant === "S" ? width : Math.ceil(width / 2)
  const conv = (place: number, inputs: number, outputs: number) =>
    ({ name: `conv1.${place}`, size: 3, inputs, outputs, stride: place === 0 ? 2 : 1 }) as const
  // Places 2 and 5 are ReLUs.
  return [
    { conv: conv(0, imageChannels, narrow), norm: { name: "conv1.1", channels: narrow } },
    { conv: conv(3, narrow, narrow), norm: { name: "conv1.4", channels: narrow } },
    { conv: conv(6, narrow, last.channels), norm: last }
  ]
}

type GroupIndex = 0 | 1 | 2 | 3

const outputsOf = ({ depth, width }: ResNet, index: GroupIndex): number =>
  2 ** index * width * (depth < 50 ? 1 : bottleneckExpansion)

/** Input pixels per cell behind a group; stem and max pool come to 4. */
const strideAfter = ({ outputStride = 32 }: ResNet, index: GroupIndex): number =>
  Math.min(4 * 2 ** index, outputStride)

/** What a group's stride, and those before it, would have left out between two cells. */
const dilationAfter = (architecture: ResNet, index: GroupIndex): number =>
  (4 * 2 ** index) / strideAfter(architecture, index)

const groupsOf = (architecture: ResNet, stemChannels: number) =>
  [
    blocks(architecture, 0, stemChannels),
    blocks(architecture, 1, outputsOf(architecture, 0)),
    blocks(architecture, 2, outputsOf(architecture, 1)),
    blocks(architecture, 3, outputsOf(architecture, 2))
  ] as const

/** One group: the first block of all but the first halves the resolution, or reads on at a distance. */
const blocks = (architecture: ResNet, group: GroupIndex, inputs: number): ReadonlyArray<ResidualBlock> => {
  const { depth, variant = "B" } = architecture
  const before = Math.max(0, group - 1) as GroupIndex
  const halves = strideAfter(architecture, group) > strideAfter(architecture, before)
  const dilation = dilationAfter(architecture, group)
  const outputs = outputsOf(architecture, group)
  return Array.from({ length: blockCounts[depth][group] }, (_, index) => {
    const shape = {
      name: `layer${group + 1}.${index}`,
      inputs: index === 0 ? inputs : outputs,
      outputs,
      stride: index === 0 && halves ? 2 : 1,
      dilations: [index === 0 ? dilationAfter(architecture, before) : dilation, dilation],
      shortcut: variant === "D" ? "D" : "B"
    } as const
    return depth < 50 ? basicBlock(shape) : bottleneckBlock({ ...shape, strideIn: variant === "A" ? 1 : 2 })
  })
}
