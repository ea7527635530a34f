/**
 * The architectures a pipeline may name, as data: light enough for a stage's contract (no tensor library).
 * What each is made of stands in `backbones/`.
 */
import { Schema } from "effect"
import { withDefault } from "./withDefault.ts"

const Width = Schema.Int.check(
  Schema.isBetween({ minimum: 1, maximum: 1024 }, { expected: "a width from 1 to 1024" })
)

/** CIFAR ResNet (He et al. 2016 §4.2): depth 6n + 2, channels `width`, 2 `width`, 4 `width`. */
export const ResNetCifar = Schema.Struct({
  family: Schema.Literal("resnet-cifar"),
  /** Layers with weights on the main path: 8, 14, 20, 32, 44, 56, 110, … */
  depth: Schema.Int.check(
    Schema.makeFilter(
      (depth) => (depth >= 8 && depth % 6 === 2) || `depth must be 6n + 2 (8, 14, 20, 32, …), got ${depth}`
    )
  ),
  /** Channels of the stem and the first group of blocks. */
  width: withDefault(Width, 16),
  /** What carries the input past a block that changes shape: zero padding (A) or a 1x1 projection (B). */
  shortcut: withDefault(Schema.Literals(["A", "B"]), "B")
})
export type ResNetCifar = typeof ResNetCifar.Type

/**
 * ResNet for large images (He et al. 2016, table 1): groups of basic blocks with `width`, 2 `width`,
 * 4 `width`, 8 `width` channels.
 */
export const ResNet = Schema.Struct({
  family: Schema.Literal("resnet"),
  /** Layers with weights on the main path; 10 is 18 with one block a group. */
  depth: Schema.Literals([10, 18, 34]),
  /** Channels of the stem and the first group of blocks. */
  width: withDefault(Width, 64)
})
export type ResNet = typeof ResNet.Type

export const Architecture = Schema.Union([ResNetCifar, ResNet])
export type Architecture = typeof Architecture.Type
export type BackboneName = Architecture["family"]
