/**
 * The architectures a pipeline may name, as data: light enough for a stage's contract (no tensor library).
 * What each is made of stands in `backbones/`.
 */
import { Schema } from "effect"
import { leftOut, withDefault } from "./withDefault.ts"

const Width = Schema.Int.check(
  Schema.isBetween({ minimum: 1, maximum: 1024 }, { expected: "a width from 1 to 1024" })
)

/** Input pixels per cell of a backbone's coarsest map. */
export const OutputStride = Schema.Literals([8, 16, 32])
export type OutputStride = typeof OutputStride.Type

/**
 * CIFAR ResNet (He et al. 2016 §4.2): depth 6n + 2, channels `width`, 2 `width`, 4 `width`. RepDistiller's
 * resnet8x4 and resnet32x4 have a stem of 32 and a width of 64.
 */
export const ResNetCifar = Schema.Struct({
  family: Schema.Literal("resnet-cifar"),
  /** Layers with weights on the main path: 8, 14, 20, 32, 44, 56, 110, … */
  depth: Schema.Int.check(
    Schema.makeFilter(
      (depth) => (depth >= 8 && depth % 6 === 2) || `depth must be 6n + 2 (8, 14, 20, 32, …), got ${depth}`
    )
  ),
  /** Channels of the first group of blocks. */
  width: withDefault(Width, 16),
  /** Channels of the stem, where it is narrower than the first group. */
  stem: Schema.optionalKey(Width),
  /** What carries the input past a block that changes shape: zero padding (A) or a 1x1 projection (B). */
  shortcut: withDefault(Schema.Literals(["A", "B"]), "B")
}).check(
  Schema.makeFilter(
    ({ stem, width }) =>
      stem === undefined ||
      stem < width ||
      `stem must be narrower than width (${width}), got ${stem}; left out, it is as wide`
  )
)
export type ResNetCifar = typeof ResNetCifar.Type

/**
 * ResNet for large images (He et al. 2016, table 1) and its variants (He et al. 2018, arXiv 1812.01187, §4):
 * groups of blocks with `width`, 2 `width`, 4 `width`, 8 `width` channels, four times as many where the
 * blocks are bottlenecks (from depth 50 on).
 */
export const ResNet = Schema.Struct({
  family: Schema.Literal("resnet"),
  /** Layers with weights on the main path; 10 is 18 with one block a group. */
  depth: Schema.Literals([10, 18, 34, 50, 101, 152]),
  /** Channels of the stem and of the first group's 3x3 convolutions. */
  width: withDefault(Width, 64),
  /**
   * - A: the original; a bottleneck's stride is in its first 1x1 convolution
   * - B: the stride is in the 3x3 convolution, as in torchvision; the one that is meant where nothing is said
   * - C: B with three 3x3 convolutions as stem
   * - D: C with a 2x2 average pool before the projections
   * - S: C with a stem twice as wide, as in GluonCV's and timm's `resnet50s`
   */
  variant: leftOut(Schema.Literals(["A", "B", "C", "D", "S"]), "B"),
  /**
   * 32 where nothing is said. With 16 or 8 the last strides become dilations (Chen et al. 2017, DeepLab,
   * arXiv 1606.00915): the weights stay, maps get larger.
   */
  outputStride: leftOut(OutputStride, 32)
}).check(
  Schema.makeFilter(
    ({ depth, variant = "B" }) =>
      depth >= 50 ||
      !["A", "S"].includes(variant) ||
      `variant ${variant} is one of bottlenecks, which depth ${depth} has none of: choose B, C or D`
  )
)
export type ResNet = typeof ResNet.Type

/** Channels, as a share of the paper's. */
const WidthMultiplier = Schema.Literals([1, 0.75, 0.5, 0.25])

/** MobileNet-V1 (Howard et al. 2017, table 1). */
export const MobileNetV1 = Schema.Struct({
  family: Schema.Literal("mobilenet-v1"),
  width: withDefault(WidthMultiplier, 1),
  /** GluonCV takes "relu"; Keras, timm and the weights they publish "relu6". */
  activation: withDefault(Schema.Literals(["relu", "relu6"]), "relu"),
  /** As a ResNet's. */
  outputStride: leftOut(OutputStride, 32)
})
export type MobileNetV1 = typeof MobileNetV1.Type

/** Inception-V3 (Szegedy et al. 2015), for classifiers of images of 299x299 pixels. */
export const InceptionV3 = Schema.Struct({
  family: Schema.Literal("inception-v3"),
  width: withDefault(WidthMultiplier, 1),
  /** Whether a second classifier helps the training (torchvision's does, GluonCV's does not). */
  auxiliary: withDefault(Schema.Boolean, false),
  /** The share of features before the linear layer that training drops. */
  dropout: withDefault(
    Schema.Number.check(
      Schema.makeFilter(
        (rate) => (rate >= 0 && rate < 1) || `dropout must be at least 0 and below 1, got ${rate}`
      )
    ),
    0.5
  )
})
export type InceptionV3 = typeof InceptionV3.Type

export const Architecture = Schema.Union([ResNetCifar, ResNet, MobileNetV1, InceptionV3])
export type Architecture = typeof Architecture.Type
export type BackboneName = Architecture["family"]
