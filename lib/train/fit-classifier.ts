/** What pretraining and distillation share: batches, first weights and validation of a classifier. */
import { Effect, type Schema } from "effect"
import type { Normalization } from "../data/augment/normalization.ts"
import type { FrameSize } from "../data/augment/pad-crop-flip.ts"
import { classificationBatches, type LabelledImages, type TrainingBatches } from "../data/batches.ts"
import { actingSize, type ImageSizes } from "../data/image-sizes.ts"
import type { Mixing } from "../data/mixing.ts"
import type { ShardedImages } from "../data/ShardedImages.ts"
import type { StochasticDepth } from "../data/stochastic-depth.ts"
import type { Classifier } from "../models/Classifier.ts"
import { requireImageSize } from "../models/requireImageSize.ts"
import { initializeWeights } from "../nn/initializers.ts"
import type { Weights } from "../nn/Weights.ts"
import { RandomStream } from "../tensor/random.ts"
import { classifierValidation } from "./evaluate-classifier.ts"
import { fitTask, type TrainingHost, type Turns } from "./fit.ts"
import { mixingOf } from "./TargetParams.ts"
import { microBatchSizeOf, type TrainingParams } from "./TrainingParams.ts"
import type { ClassificationInput, ClassificationTask } from "./tasks/classification.ts"

type Batches = TrainingBatches<ClassificationInput>

export interface FitClassifierOptions<E> {
  readonly classifier: Classifier
  readonly task: ClassificationTask
  readonly params: TrainingParams
  /** What acts on the training besides `params`: of the job's own params, the architecture, ... */
  readonly acting: Schema.Json
  readonly dataset: LabelledImages | ShardedImages
  readonly validation: LabelledImages | ShardedImages | undefined
  readonly normalization: Normalization
  /** Of the network's input; that of the images where left out. */
  readonly inputSize?: FrameSize | undefined
  /** What it starts from; absent: from weights by chance. */
  readonly firstWeights?: Weights | undefined
  /** What else a batch feeds; absent: nothing. */
  readonly feeding?: ((batches: Batches) => Batches) | undefined
  readonly host: TrainingHost<E>
}

/** Trains a classifier: see {@link fitTask}. Fails with `ImagesTooSmall`, too. */
export const fitClassifier = Effect.fn("fitClassifier")(function* <E>(options: FitClassifierOptions<E>) {
  const { acting, classifier, dataset, host, inputSize, normalization, params, task, validation } = options
  const { feeding = (batches: Batches) => batches } = options
  const { initializer, seed, zeroGamma = false } = params
  const { imageSizes = null, unmixedEpochs: _, ...always } = params
  const mixing = mixingOf(params, params.epochs)
  yield* requireImageSize(classifier, inputSize ?? dataset, params.auxiliaryWeight !== 0)
  return yield* fitTask({
    task,
    batches: feeding(
      classificationBatches({
        ...params,
        dataset,
        normalization,
        inputSize,
        numClasses: classifier.numClasses,
        batchSize: microBatchSizeOf(params),
        mixing,
        dropout: classifier.dropout,
        depth: stochasticDepthOf(params, classifier),
        imageSizes
      })
    ),
    params: always,
    acting,
    turns: turnsOf(mixing, imageSizes),
    firstWeights: () =>
      options.firstWeights ??
      initializeWeights(classifier.weights, initializer, RandomStream.make(seed, "weights"), { zeroGamma }),
    validation:
      validation && classifierValidation({ classifier, dataset: validation, normalization, inputSize }),
    host
  })
})

/** Absent: every example goes through every block. */
export const stochasticDepthOf = (
  { stochasticDepth: rate = 0 }: Pick<TrainingParams, "stochasticDepth">,
  { numResidualBlocks: numBlocks }: Classifier
): StochasticDepth | undefined => (rate === 0 || numBlocks === undefined ? undefined : { rate, numBlocks })

/**
 * Mixing acts in every epoch until it ends, and images have their own size in some: runs that differ in
 * one of these share the epochs before.
 */
const turnsOf = (mixing: Mixing | undefined, sizes: ImageSizes | null): Turns => ({
  actingIn: (epoch) => ({
    ...(mixing !== undefined && epoch >= mixing.endEpoch && { mixing: "off" }),
    ...actingSize(sizes ?? [], epoch)
  }),
  points: [...(mixing === undefined ? [] : [mixing.endEpoch]), ...(sizes ?? []).map(([from]) => from)]
})
