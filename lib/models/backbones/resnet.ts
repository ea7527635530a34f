/**
 * ResNets for large images (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1):
 * a 7x7 stem with stride 2, a max pool, and four groups of basic blocks. Names and padding are torchvision's,
 * so its weights fit; shortcuts are projections (B) wherever the shape changes.
 */
import { batchNorm, batchNormWeights } from "../../nn/batch-norm.ts"
import { type Conv, conv2d, convExtent, convMacs, convWeights } from "../../nn/conv.ts"
import { maxPoolHalving } from "../../nn/max-pool.ts"
import {
  type ResidualBlock,
  residualBlock,
  residualBlocksMacs,
  residualBlockWeights
} from "../../nn/residual-block.ts"
import type { tf } from "../../tensor/tf.ts"
import type { ResNet } from "../Architecture.ts"
import type { Backbone, BackboneModule } from "../Backbone.ts"

/** Blocks of each group: two layers a block, besides the stem and the classifier. */
const blockCounts = { 10: [1, 1, 1, 1], 18: [2, 2, 2, 2], 34: [3, 4, 6, 3] } as const

export const make: BackboneModule<ResNet>["make"] = ({ depth, width }, imageChannels): Backbone => {
  const stem: Conv = { name: "conv1", size: 7, inputs: imageChannels, outputs: width, stride: 2 }
  const stemNorm = { name: "bn1", channels: width }
  const [count1, count2, count3, count4] = blockCounts[depth]
  const groups = [
    blocks("layer1", count1, width, width),
    blocks("layer2", count2, width, 2 * width),
    blocks("layer3", count3, 2 * width, 4 * width),
    blocks("layer4", count4, 4 * width, 8 * width)
  ] as const
  return {
    weights: [
      ...convWeights(stem),
      ...batchNormWeights(stemNorm),
      ...groups.flat().flatMap((block) => residualBlockWeights(block))
    ],
    features: {
      c2: { channels: width, stride: 4 },
      c3: { channels: 2 * width, stride: 8 },
      c4: { channels: 4 * width, stride: 16 },
      c5: { channels: 8 * width, stride: 32 }
    },
    apply: (weights, images, mode) => {
      const run = (group: ReadonlyArray<ResidualBlock>, input: tf.Tensor4D) =>
        group.reduce((x, block) => residualBlock(weights, block, x, mode), input)
      const convolved = conv2d(weights, stem, images)
      const stemmed = batchNorm(weights, stemNorm, convolved, mode, { activation: "relu" })
      const c2 = run(groups[0], maxPoolHalving(stemmed))
      const c3 = run(groups[1], c2)
      const c4 = run(groups[2], c3)
      return { c2, c3, c4, c5: run(groups[3], c4) }
    },
    macs: (height, width) => {
      const pooled = (extent: number) => Math.ceil(convExtent(stem, extent) / 2)
      const blocksMacs = residualBlocksMacs(groups.flat(), pooled(height), pooled(width))
      return convMacs(stem, height, width) + blocksMacs
    }
  }
}

/** One group: where channels grow, its first block halves the resolution. */
const blocks = (name: string, count: number, inputs: number, outputs: number): ReadonlyArray<ResidualBlock> =>
  Array.from({ length: count }, (_, index) => ({
    name: `${name}.${index}`,
    inputs: index === 0 ? inputs : outputs,
    outputs,
    stride: index === 0 && outputs > inputs ? 2 : 1,
    shortcut: "B"
  }))
