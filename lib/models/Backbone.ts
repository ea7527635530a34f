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
  /**
   * Rows (columns) of cells for so many rows (columns) of pixels; ceil(pixels / stride) where it is left out.
   * Where it is there, the cells leave a margin of the picture out.
   */
  readonly extent?: (pixels: number) => number
}

export const featureExtent = ({ extent, stride }: FeatureSpec, pixels: number): number =>
  extent === undefined ? Math.ceil(pixels / stride) : extent(pixels)

/**
 * A second classifier on a finer map: it sends gradients into the middle of a deep network, and serves in
 * training only.
 */
export interface Auxiliary {
  /** The map it reads. */
  readonly feature: FeatureName
  /** But for those of the linear layer, which is named `name`. */
  readonly weights: ReadonlyArray<WeightSpec>
  readonly name: string
  /** The map → `[N, h, w, channels]`, to be averaged over the picture. */
  readonly apply: (weights: WeightTensors, map: tf.Tensor4D, mode: Mode) => tf.Tensor4D
  readonly channels: number
  /** Rows (columns) it makes of so many of the map; none where that is too small. */
  readonly extent: (cells: number) => number
}

export interface Backbone {
  readonly weights: ReadonlyArray<WeightSpec>
  readonly features: Readonly<Partial<Record<FeatureName, FeatureSpec>>>
  /** `[N, H, W, C]` → `[N, H', W', channels]` under every promised name: see {@link featureExtent}. */
  readonly apply: (
    weights: WeightTensors,
    images: tf.Tensor4D,
    mode: Mode
  ) => Readonly<Partial<Record<FeatureName, tf.Tensor4D>>>
  /** Multiply-accumulates of the convolutions for one image of `height` x `width` pixels. */
  readonly macs: (height: number, width: number) => number
  /** How a classifier ends on it. */
  readonly classifier?: {
    /** Of the linear layer; "fc" where left out. */
    readonly name?: string
    /** The share of the averaged features that training drops; 0 where left out. */
    readonly dropout?: number
  }
  readonly auxiliary?: Auxiliary
  /** Blocks whose branch training may skip; absent: it has none. */
  readonly numResidualBlocks?: number
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

/**
 * The fewest rows and columns of pixels of which there is a cell in every map, and in the auxiliary
 * classifier's if that is to run.
 */
export const fewestPixels = ({ auxiliary, features }: Backbone, withAuxiliary: boolean): number => {
  const isEnough = (pixels: number): boolean => {
    const cells = (feature: FeatureName) => featureExtent(features[feature]!, pixels)
    if (Object.values(features).some((spec) => featureExtent(spec, pixels) < 1)) return false
    return !withAuxiliary || auxiliary === undefined || auxiliary.extent(cells(auxiliary.feature)) >= 1
  }
  let pixels = 1
  while (!isEnough(pixels)) pixels++
  return pixels
}

/** Boxes and masks lie anywhere in the picture: the maps must show all of it. */
export const refuseMargins = ({ features }: Backbone): void => {
  if (Object.values(features).some(({ extent }) => extent !== undefined)) {
    throw new Error(
      "A detector or segmenter needs maps of the whole picture; this backbone leaves a margin out " +
        "(Inception-V3, whose windows have no padding). Build on another classifier."
    )
  }
}
