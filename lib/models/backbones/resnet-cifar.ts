/**
 * CIFAR ResNets with 6n + 2 layers (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
 * §4.2): a 3x3 stem and three groups of n blocks of `width`, 2 `width`, 4 `width` channels. The stem has a
 * ReLU, as in the original and in RepDistiller (GluonCV's has none).
 */
import { batchNorm, batchNormWeights } from "../../nn/batch-norm.ts"
import { type Conv, conv2d, convMacs, convWeights } from "../../nn/conv.ts"
import {
  type ResidualBlock,
  residualBlock,
  residualBlocksMacs,
  residualBlockWeights
} from "../../nn/residual-block.ts"
import type { tf } from "../../tensor/tf.ts"
import type { ResNetCifar } from "../Architecture.ts"
import type { Backbone, BackboneModule } from "../Backbone.ts"

export const make: BackboneModule<ResNetCifar>["make"] = (architecture, imageChannels): Backbone => {
  const { width } = architecture
  const stem: Conv = { name: "conv1", size: 3, inputs: imageChannels, outputs: width, stride: 1 }
  const stemNorm = { name: "bn1", channels: width }
  const groups = [blocks(architecture, 1), blocks(architecture, 2), blocks(architecture, 3)] as const
  return {
    weights: [
      ...convWeights(stem),
      ...batchNormWeights(stemNorm),
      ...groups.flat().flatMap((block) => residualBlockWeights(block))
    ],
    features: {
      c2: { channels: width, stride: 1 },
      c3: { channels: 2 * width, stride: 2 },
      c4: { channels: 4 * width, stride: 4 }
    },
    apply: (weights, images, mode) => {
      const run = (group: ReadonlyArray<ResidualBlock>, input: tf.Tensor4D) =>
        group.reduce((x, block) => residualBlock(weights, block, x, mode), input)
      const convolved = conv2d(weights, stem, images)
      const stemmed = batchNorm(weights, stemNorm, convolved, mode, { activation: "relu" })
      const c2 = run(groups[0], stemmed)
      const c3 = run(groups[1], c2)
      return { c2, c3, c4: run(groups[2], c3) }
    },
    macs: (height, width) => convMacs(stem, height, width) + residualBlocksMacs(groups.flat(), height, width)
  }
}

/** The blocks of group 1, 2 or 3; the first of groups 2 and 3 halves the resolution. */
const blocks = (architecture: ResNetCifar, group: 1 | 2 | 3): ReadonlyArray<ResidualBlock> => {
  const outputs = architecture.width * 2 ** (group - 1)
  const count = (architecture.depth - 2) / 6
  return Array.from({ length: count }, (_, index) => ({
    name: `layer${group}.${index}`,
    inputs: index === 0 && group > 1 ? outputs / 2 : outputs,
    outputs,
    stride: index === 0 && group > 1 ? 2 : 1,
    shortcut: architecture.shortcut
  }))
}
