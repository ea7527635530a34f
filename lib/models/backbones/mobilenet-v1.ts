/**
 * MobileNet-V1 (Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
 * Applications", arXiv 1704.04861, table 1): a 3x3 stem with stride 2 and 13 separable convolutions, each a
 * 3x3 depthwise and a 1x1 convolution, batch norm and activation behind either. The width multiplier is
 * §3.3's.
 *
 * Names are those of timm's `mobilenetv1_100`, padding is PyTorch's and MXNet's: 1 on every side. ReLU is
 * GluonCV's activation, ReLU6 that of Keras and timm. At 224x224 the maps are c2 56x56x128, c3 28x28x256,
 * c4 14x14x512 and c5 7x7x1024 (channels times the width). With `outputStride` 8 or 16 the strides beyond it
 * become dilations of the depthwise convolutions that follow.
 */
import type { Conv } from "../../nn/conv.ts"
import { type LayerFor, sequence } from "../../nn/layers.ts"
import type { MobileNetV1 } from "../Architecture.ts"
import type { BackboneModule } from "../Backbone.ts"
import { type Part, sequentialBackbone } from "../sequential-backbone.ts"

/** The separable convolutions of one resolution; the first of each group but the first one halves it. */
const groups = [
  { count: 1, channels: 64 },
  { count: 2, channels: 128 },
  { count: 2, channels: 256 },
  { count: 6, channels: 512 },
  { count: 2, channels: 1024 }
] as const

export const make: BackboneModule<MobileNetV1>["make"] = (architecture, imageChannels) => ({
  ...sequentialBackbone({ imageChannels, parts: mobileNetV1Parts(architecture) }),
  classifier: { name: "classifier" }
})

export const mobileNetV1Parts = (architecture: MobileNetV1): ReadonlyArray<Part> => {
  const stem = conv(architecture, "conv_stem", "bn1", 32 * architecture.width, { size: 3, stride: 2 })
  const [first, ...others] = groups.map((_, index) => group(architecture, index))
  return [
    ["c2", sequence(stem, first!, others[0]!)],
    ["c3", others[1]!],
    ["c4", others[2]!],
    ["c5", others[3]!]
  ]
}

const group = (architecture: MobileNetV1, index: number): LayerFor => {
  const { outputStride = 32, width } = architecture
  const { channels, count } = groups[index]!
  const stride = 2 ** (index + 1)
  const dilationAt = (of: number) => Math.max(1, of / outputStride)
  return sequence(
    ...Array.from({ length: count }, (_, block) =>
      separable(architecture, `blocks.${index}.${block}`, channels * width, {
        stride: block === 0 && index > 0 && stride <= outputStride ? 2 : 1,
        // What takes the place of a stride reads neighbouring cells: only its successors reach further.
        dilation: dilationAt(block === 0 ? stride / 2 : stride)
      })
    )
  )
}

/** A filter for each channel, then a mixture of channels for each cell. */
const separable =
  (
    architecture: MobileNetV1,
    name: string,
    outputs: number,
    window: { readonly stride: number; readonly dilation: number }
  ): LayerFor =>
  (inputs) =>
    sequence(
      conv(architecture, `${name}.conv_dw`, `${name}.bn1`, inputs, { size: 3, ...window, depthwise: true }),
      conv(architecture, `${name}.conv_pw`, `${name}.bn2`, outputs, { size: 1, stride: 1 })
    )(inputs)

const conv =
  (
    { activation }: MobileNetV1,
    name: string,
    norm: string,
    outputs: number,
    window: Pick<Conv, "size" | "stride" | "dilation" | "depthwise">
  ): LayerFor =>
  (inputs) => ({
    kind: "conv",
    activation,
    conv: { name, inputs, outputs, ...window },
    norm: { name: norm, channels: outputs }
  })
