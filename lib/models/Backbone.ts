/**
 * What every backbone promises: images in, named feature maps out. Heads and necks are built from this
 * alone.
 */
import type { Mode } from "../nn/Mode.ts"
import type { WeightSpec, WeightTensors } from "../nn/Weights.ts"
import type { tf } from "../tensor/tf.ts"

/** The ends of the groups of blocks of equal resolution, finest first; a backbone has some of them. */
export type FeatureName = "c2" | "c3" | "c4" | "c5"

export interface FeatureSpec {
  readonly channels: number
  /** Input pixels per feature cell. */
  readonly stride: number
}

export interface Backbone {
  readonly weights: ReadonlyArray<WeightSpec>
  readonly features: Readonly<Partial<Record<FeatureName, FeatureSpec>>>
  /** `[N, H, W, C]` → `[N, ceil(H / stride), ceil(W / stride), channels]` under every promised name. */
  readonly apply: (
    weights: WeightTensors,
    images: tf.Tensor4D,
    mode: Mode
  ) => Readonly<Partial<Record<FeatureName, tf.Tensor4D>>>
  /** Multiply-accumulates of the convolutions for one image of `height` x `width` pixels. */
  readonly macs: (height: number, width: number) => number
}

/** What a file in `backbones/` exports. */
export interface BackboneModule<A> {
  /** `imageChannels` is 1 (grey) or 3 (RGB). */
  readonly make: (architecture: A, imageChannels: number) => Backbone
}

/** The name of the coarsest feature map, which a classifier reads. */
export const coarsestFeature = (backbone: Backbone): FeatureName => {
  const names = (["c5", "c4", "c3", "c2"] as const).filter((name) => backbone.features[name] !== undefined)
  if (names[0] === undefined) throw new Error("A backbone must promise at least one of c2, c3, c4, c5.")
  return names[0]
}
