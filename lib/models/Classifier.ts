/** An image classifier: a backbone and a classification head on its coarsest features. */
import { Effect } from "effect"
import type { Mode } from "../nn/Mode.ts"
import { countParameters, type WeightSpec, type WeightTensors } from "../nn/Weights.ts"
import type { tf } from "../tensor/tf.ts"
import type { Architecture } from "./Architecture.ts"
import { type Backbone, coarsestFeature } from "./Backbone.ts"
import { loadBackbone } from "./backbones/index.ts"
import { classifierHead, classifierHeadMacs, classifierHeadWeights } from "./heads/classifier.ts"

export interface Classifier {
  readonly numClasses: number
  readonly weights: ReadonlyArray<WeightSpec>
  /** Learned numbers, running statistics not counted. */
  readonly parameters: number
  /** Images `[N, H, W, C]`, normalised → logits `[N, K]` */
  readonly apply: (weights: WeightTensors, images: tf.Tensor4D, mode: Mode) => tf.Tensor2D
  /** Multiply-accumulates of convolutions and linear layers for one image of `height` x `width` pixels. */
  readonly macs: (height: number, width: number) => number
}

export const makeClassifier = (backbone: Backbone, numClasses: number): Classifier => {
  const feature = coarsestFeature(backbone)
  const head = { channels: backbone.features[feature]!.channels, numClasses }
  const weights = [...backbone.weights, ...classifierHeadWeights(head)]
  return {
    numClasses,
    weights,
    parameters: countParameters(weights),
    apply: (tensors, images, mode) =>
      classifierHead(tensors, head, backbone.apply(tensors, images, mode)[feature]!),
    macs: (height, width) => backbone.macs(height, width) + classifierHeadMacs(head)
  }
}

/** Loads the backbone's code and puts a head for `numClasses` classes on it. */
export const loadClassifier = (options: {
  readonly architecture: Architecture
  readonly imageChannels: number
  readonly numClasses: number
}): Effect.Effect<Classifier> =>
  loadBackbone(options.architecture, options.imageChannels).pipe(
    Effect.map((backbone) => makeClassifier(backbone, options.numClasses))
  )
