/**
 * CIFAR ResNets with 6n + 2 layers (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
 * §4.2): a 3x3 stem and three groups of n blocks of `width`, 2 `width`, 4 `width` channels. The stem has a
 * ReLU, as in the original and in RepDistiller (GluonCV's has none); RepDistiller's x4 networks are wider
 * than their stem.
 */
import { type ConvNorm, convNorms, convNormsCost, convNormWeights } from "../../nn/conv-norm.ts"
import {
  basicBlock,
  type ResidualBlock,
  residualBlocks,
  residualBlocksMacs,
  residualBlockWeights
} from "../../nn/residual-block.ts"
import type { tf } from "../../tensor/tf.ts"
import type { ResNetCifar } from "../Architecture.ts"
import type { Backbone, BackboneModule } from "../Backbone.ts"

export const make: BackboneModule<ResNetCifar>["make"] = (architecture, imageChannels): Backbone => {
  const { width, stem: stemWidth = width } = architecture
  const stem: ConvNorm = {
    conv: { name: "conv1", size: 3, inputs: imageChannels, outputs: stemWidth, stride: 1 },
    norm: { name: "bn1", channels: stemWidth }
  }
  const groups = [
    blocks(architecture, 1, stemWidth, width),
    blocks(architecture, 2, width, 2 * width),
    blocks(architecture, 3, 2 * width, 4 * width)
  ] as const
  return {
    weights: [...convNormWeights(stem), ...groups.flat().flatMap(residualBlockWeights)],
    numResidualBlocks: groups.flat().length,
    features: {
      c2: { channels: width, stride: 1 },
      c3: { channels: 2 * width, stride: 2 },
      c4: { channels: 4 * width, stride: 4 }
    },
    apply: (weights, images, mode) => {
      const run = (index: 0 | 1 | 2, input: tf.Tensor4D) =>
        residualBlocks(weights, groups[index], index * groups[0].length, input, mode)
      const c2 = run(0, convNorms(weights, [stem], images, mode))
      const c3 = run(1, c2)
      return { c2, c3, c4: run(2, c3) }
    },
    macs: (height, width) =>
      convNormsCost([stem], height, width).macs + residualBlocksMacs(groups.flat(), height, width)
  }
}

/** The first block of groups 2 and 3 halves the resolution. */
const blocks = (
  { depth, shortcut }: ResNetCifar,
  group: 1 | 2 | 3,
  inputs: number,
  outputs: number
): ReadonlyArray<ResidualBlock> =>
  Array.from({ length: (depth - 2) / 6 }, (_, index) =>
    basicBlock({
      name: `layer${group}.${index}`,
      inputs: index === 0 ? inputs : outputs,
      outputs,
      stride: index === 0 && group > 1 ? 2 : 1,
      shortcut
    })
  )
