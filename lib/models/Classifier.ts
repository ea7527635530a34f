/** An image classifier: a backbone and a classification head on its coarsest features. */
import { Effect } from "effect"
import type { Dropout } from "../data/dropout.ts"
import type { Mode } from "../nn/Mode.ts"
import { countParameters, type WeightSpec, type WeightTensors } from "../nn/Weights.ts"
import type { tf } from "../tensor/tf.ts"
import type { Architecture } from "./Architecture.ts"
import { type Auxiliary, type Backbone, coarsestFeature, fewestPixels } from "./Backbone.ts"
import { loadBackbone } from "./backbones/index.ts"
import {
  type ClassifierHead,
  classifierHead,
  classifierHeadMacs,
  classifierHeadWeights
} from "./heads/classifier.ts"

export interface Classifier {
  readonly numClasses: number
  readonly weights: ReadonlyArray<WeightSpec>
  /** Learned numbers, running statistics not counted. */
  readonly parameters: number
  /** Images `[N, H, W, C]`, normalised → logits `[N, K]` */
  readonly apply: (weights: WeightTensors, images: tf.Tensor4D, mode: Mode) => tf.Tensor2D
  /** Multiply-accumulates of convolutions and linear layers for one image of `height` x `width` pixels. */
  readonly macs: (height: number, width: number) => number
  /** The fewest rows and columns that images may have, where the auxiliary classifier learns or not. */
  readonly fewestPixels: (withAuxiliary: boolean) => number
  /** What training drops of the features `[N, numFeatures]` that the linear layer reads; absent: nothing. */
  readonly dropout?: Dropout
  /** Blocks whose branch training may skip; absent: the architecture has none. */
  readonly numResidualBlocks?: number | undefined
  /** A second classifier that helps the training, where the architecture has one. */
  readonly auxiliary?: {
    /** Names of its weights, which are among the classifier's. */
    readonly weights: ReadonlySet<string>
    /** The logits `[N, K]` of both. */
    readonly apply: (weights: WeightTensors, images: tf.Tensor4D, mode: Mode) => LogitsOfBoth
  }
}

export interface LogitsOfBoth {
  readonly logits: tf.Tensor2D
  readonly auxiliary: tf.Tensor2D
}

type Features = ReturnType<Backbone["apply"]>

export const makeClassifier = (backbone: Backbone, numClasses: number): Classifier => {
  const feature = coarsestFeature(backbone)
  const { channels } = backbone.features[feature]!
  const { dropout = 0, name = "fc" } = backbone.classifier ?? {}
  const head = { name, channels, numClasses, dropout }
  const auxiliary = backbone.auxiliary && auxiliaryClassifier(backbone.auxiliary, numClasses)
  const weights = [...backbone.weights, ...(auxiliary?.weights ?? []), ...classifierHeadWeights(head)]
  const main = (tensors: WeightTensors, features: Features, mode: Mode) =>
    classifierHead(tensors, head, features[feature]!, mode)
  return {
    numClasses,
    weights,
    parameters: countParameters(weights),
    apply: (tensors, images, mode) => main(tensors, backbone.apply(tensors, images, mode), mode),
    macs: (height, width) => backbone.macs(height, width) + classifierHeadMacs(head),
    numResidualBlocks: backbone.numResidualBlocks,
    fewestPixels: (withAuxiliary) => fewestPixels(backbone, withAuxiliary),
    ...(dropout > 0 && { dropout: { rate: dropout, numFeatures: channels } }),
    ...(auxiliary && {
      auxiliary: {
        weights: new Set(auxiliary.weights.map((spec) => spec.name)),
        apply: (tensors, images, mode) => {
          const features = backbone.apply(tensors, images, mode)
          return {
            logits: main(tensors, features, mode),
            auxiliary: auxiliary.apply(tensors, features, mode)
          }
        }
      }
    })
  }
}

const auxiliaryClassifier = (auxiliary: Auxiliary, numClasses: number) => {
  const { channels, feature, name, weights } = auxiliary
  const head: ClassifierHead = { name, channels, numClasses, dropout: 0 }
  return {
    weights: [...weights, ...classifierHeadWeights(head)],
    apply: (tensors: WeightTensors, features: Features, mode: Mode) =>
      classifierHead(tensors, head, auxiliary.apply(tensors, features[feature]!, mode), mode)
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
