/**
 * Inception-V3 (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", arXiv
 * 1512.00567, table 1 and figures 5 to 7) as torchvision builds it, with its names: batch norm (epsilon 1e-3)
 * and ReLU behind every convolution, 3x3 averages that count the zeros beyond the border, dropout before the
 * linear layer. Made for 299x299 pixels, where the maps are c2 71x71x192, c3 35x35x288, c4 17x17x768 and c5
 * 8x8x2048; 75 pixels are the fewest. Channels are `width` times these, but at least 16 of a convolution
 * (TF-slim's depth multiplier).
 *
 * Most windows that halve have no padding, so a margin of the picture is left out of the maps: they serve
 * classifiers, and dense heads refuse them. For the same reason there is no `outputStride`.
 *
 * The auxiliary classifier (§4) stands on c4 and takes 299 pixels at least.
 */
import {
  applyLayer,
  concat,
  type LayerFor,
  layerCost,
  layerOutputs,
  layerWeights,
  pool,
  sequence
} from "../../nn/layers.ts"
import type { InceptionV3 } from "../Architecture.ts"
import type { Auxiliary, BackboneModule } from "../Backbone.ts"
import { type Part, sequentialBackbone } from "../sequential-backbone.ts"

export const make: BackboneModule<InceptionV3>["make"] = (architecture, imageChannels) => {
  const { auxiliary, dropout } = architecture
  const parts = inceptionV3Parts(architecture)
  const backbone = sequentialBackbone({ imageChannels, parts, leavesMargin: true })
  const classifier = { dropout }
  if (!auxiliary) return { ...backbone, classifier }
  return { ...backbone, classifier, auxiliary: auxiliaryOn(architecture, backbone.features.c4!.channels) }
}

export const inceptionV3Parts = (architecture: InceptionV3): ReadonlyArray<Part> => {
  const conv = convs(architecture)
  return [
    ["c2", stem(conv)],
    [
      "c3",
      sequence(
        pool("max-pool", 3, 2),
        blockA(conv, "Mixed_5b", 32),
        blockA(conv, "Mixed_5c", 64),
        blockA(conv, "Mixed_5d", 64)
      )
    ],
    [
      "c4",
      sequence(
        blockB(conv, "Mixed_6a"),
        blockC(conv, "Mixed_6b", 128),
        blockC(conv, "Mixed_6c", 160),
        blockC(conv, "Mixed_6d", 160),
        blockC(conv, "Mixed_6e", 192)
      )
    ],
    ["c5", sequence(blockD(conv, "Mixed_7a"), blockE(conv, "Mixed_7b"), blockE(conv, "Mixed_7c"))]
  ]
}

const auxiliaryOn = (architecture: InceptionV3, channels: number): Auxiliary => {
  const conv = convs(architecture)
  const layers = sequence(
    pool("average-pool", 5, 3),
    conv("AuxLogits.conv0", 128),
    conv("AuxLogits.conv1", 768, 5, whole)
  )(channels)
  return {
    feature: "c4",
    name: "AuxLogits.fc",
    weights: layerWeights(layers),
    channels: layerOutputs(layers, channels),
    apply: (weights, map, mode) => applyLayer(weights, layers, map, mode),
    extent: (cells) => layerCost(layers, cells, cells).height
  }
}

type Size = number | readonly [rows: number, columns: number]

/** A convolution of a block: its name, channels that come out, and window; 1x1 with stride 1 if not said. */
type ConvOf = (
  name: string,
  outputs: number,
  size?: Size,
  window?: { readonly stride?: 2; readonly padding: "none" }
) => LayerFor

const whole = { padding: "none" } as const
const halving = { padding: "none", stride: 2 } as const

const convs =
  ({ width }: InceptionV3): ConvOf =>
  (name, outputs, size = 1, window) =>
  (inputs) => {
    const channels = Math.max(Math.floor(outputs * width), fewestChannels)
    return {
      kind: "conv",
      activation: "relu",
      conv: { name: `${name}.conv`, size, inputs, outputs: channels, stride: 1, ...window },
      norm: { name: `${name}.bn`, channels, epsilon: 1e-3 }
    }
  }

const fewestChannels = 16

const stem = (conv: ConvOf): LayerFor =>
  sequence(
    conv("Conv2d_1a_3x3", 32, 3, halving),
    conv("Conv2d_2a_3x3", 32, 3, whole),
    conv("Conv2d_2b_3x3", 64, 3),
    pool("max-pool", 3, 2),
    conv("Conv2d_3b_1x1", 80),
    conv("Conv2d_4a_3x3", 192, 3, whole)
  )

const averaged: LayerFor = () => ({ kind: "local-mean", size: 3 })

/** Figure 5. */
const blockA = (conv: ConvOf, name: string, poolOutputs: number): LayerFor =>
  concat(
    conv(`${name}.branch1x1`, 64),
    sequence(conv(`${name}.branch5x5_1`, 48), conv(`${name}.branch5x5_2`, 64, 5)),
    sequence(
      conv(`${name}.branch3x3dbl_1`, 64),
      conv(`${name}.branch3x3dbl_2`, 96, 3),
      conv(`${name}.branch3x3dbl_3`, 96, 3)
    ),
    sequence(averaged, conv(`${name}.branch_pool`, poolOutputs))
  )

/** Halves the resolution (§5, figure 10). */
const blockB = (conv: ConvOf, name: string): LayerFor =>
  concat(
    conv(`${name}.branch3x3`, 384, 3, halving),
    sequence(
      conv(`${name}.branch3x3dbl_1`, 64),
      conv(`${name}.branch3x3dbl_2`, 96, 3),
      conv(`${name}.branch3x3dbl_3`, 96, 3, halving)
    ),
    pool("max-pool", 3, 2)
  )

/** Figure 6, with n = 7. */
const blockC = (conv: ConvOf, name: string, inner: number): LayerFor =>
  concat(
    conv(`${name}.branch1x1`, 192),
    sequence(
      conv(`${name}.branch7x7_1`, inner),
      conv(`${name}.branch7x7_2`, inner, [1, 7]),
      conv(`${name}.branch7x7_3`, 192, [7, 1])
    ),
    sequence(
      conv(`${name}.branch7x7dbl_1`, inner),
      conv(`${name}.branch7x7dbl_2`, inner, [7, 1]),
      conv(`${name}.branch7x7dbl_3`, inner, [1, 7]),
      conv(`${name}.branch7x7dbl_4`, inner, [7, 1]),
      conv(`${name}.branch7x7dbl_5`, 192, [1, 7])
    ),
    sequence(averaged, conv(`${name}.branch_pool`, 192))
  )

/** Halves the resolution. */
const blockD = (conv: ConvOf, name: string): LayerFor =>
  concat(
    sequence(conv(`${name}.branch3x3_1`, 192), conv(`${name}.branch3x3_2`, 320, 3, halving)),
    sequence(
      conv(`${name}.branch7x7x3_1`, 192),
      conv(`${name}.branch7x7x3_2`, 192, [1, 7]),
      conv(`${name}.branch7x7x3_3`, 192, [7, 1]),
      conv(`${name}.branch7x7x3_4`, 192, 3, halving)
    ),
    pool("max-pool", 3, 2)
  )

/** Figure 7. */
const blockE = (conv: ConvOf, name: string): LayerFor => {
  const split = (branch: string) =>
    concat(conv(`${name}.${branch}a`, 384, [1, 3]), conv(`${name}.${branch}b`, 384, [3, 1]))
  return concat(
    conv(`${name}.branch1x1`, 320),
    sequence(conv(`${name}.branch3x3_1`, 384), split("branch3x3_2")),
    sequence(
      conv(`${name}.branch3x3dbl_1`, 448),
      conv(`${name}.branch3x3dbl_2`, 384, 3),
      split("branch3x3dbl_3")
    ),
    sequence(averaged, conv(`${name}.branch_pool`, 192))
  )
}
