/** A semantic segmenter: a backbone, an FCN head and bilinear upsampling to the size of the image. */
import { Effect } from "effect"
import type { Mode } from "../nn/Mode.ts"
import { resizeBilinear } from "../nn/upsample.ts"
import { countParameters, type WeightSpec, type WeightTensors } from "../nn/Weights.ts"
import type { tf } from "../tensor/tf.ts"
import type { Architecture } from "./Architecture.ts"
import { type Backbone, coarsestFeature, type FeatureName, refuseMargins } from "./Backbone.ts"
import { loadBackbone } from "./backbones/index.ts"
import type { SegmenterHead } from "./HeadParams.ts"
import { fcnHead, fcnHeadMacs, fcnHeadWeights } from "./heads/fcn.ts"

export interface Segmenter {
  readonly numClasses: number
  /** The backbone's under the names they have in a classifier; the head's under `classifier.` */
  readonly weights: ReadonlyArray<WeightSpec>
  /** Learned numbers, running statistics not counted. */
  readonly parameters: number
  /** Images `[N, H, W, C]`, normalised → logits `[N, H, W, K]` */
  readonly apply: (weights: WeightTensors, images: tf.Tensor4D, mode: Mode) => tf.Tensor4D
  /** The same before the last upsampling: `[N, ceil(H / stride), ceil(W / stride), K]` */
  readonly applyCoarse: (weights: WeightTensors, images: tf.Tensor4D, mode: Mode) => tf.Tensor4D
  /** Input pixels per cell of {@link applyCoarse}. */
  readonly stride: number
  /** Multiply-accumulates of the convolutions for one image of `height` x `width` pixels. */
  readonly macs: (height: number, width: number) => number
}

export interface SegmenterOptions {
  readonly numClasses: number
  readonly head: SegmenterHead
}

export const makeSegmenter = (options: SegmenterOptions & { readonly backbone: Backbone }): Segmenter => {
  const { backbone, numClasses } = options
  refuseMargins(backbone)
  const coarsest = coarsestFeature(backbone)
  const { channels, stride } = backbone.features[coarsest]!
  const { skip } = options.head
  const finer = skip === null ? undefined : skipFeature(backbone, skip)
  const head = { channels, numClasses, skipChannels: finer?.channels }
  const weights = [...backbone.weights, ...fcnHeadWeights(head)]
  const applyCoarse: Segmenter["applyCoarse"] = (tensors, images, mode) => {
    const features = backbone.apply(tensors, images, mode)
    return fcnHead(
      tensors,
      head,
      { coarsest: features[coarsest]!, finer: skip === null ? undefined : features[skip] },
      mode
    )
  }
  const cells = (height: number, width: number, per: number) =>
    [Math.ceil(height / per), Math.ceil(width / per)] as const
  return {
    numClasses,
    weights,
    parameters: countParameters(weights),
    apply: (tensors, images, mode) =>
      resizeBilinear(applyCoarse(tensors, images, mode), images.shape[1], images.shape[2]),
    applyCoarse,
    stride: finer?.stride ?? stride,
    macs: (height, width) =>
      backbone.macs(height, width) +
      fcnHeadMacs(head, cells(height, width, stride), cells(height, width, finer?.stride ?? stride))
  }
}

const skipFeature = (backbone: Backbone, skip: FeatureName) => {
  const feature = backbone.features[skip]
  if (feature === undefined || coarsestFeature(backbone) === skip) {
    throw new Error(
      `A skip needs a map ${skip} below the coarsest one; this backbone has none. Choose another, or null.`
    )
  }
  return feature
}

/** Loads the backbone's code and builds the segmenter on it. */
export const loadSegmenter = (
  options: SegmenterOptions & { readonly architecture: Architecture; readonly imageChannels: number }
): Effect.Effect<Segmenter> =>
  loadBackbone(options.architecture, options.imageChannels).pipe(
    Effect.map((backbone) => makeSegmenter({ ...options, backbone }))
  )
