/**
 * A classifier's logits on a dataset, and what they come to: validation between epochs, evaluation at the
 * end.
 */
import { Effect } from "effect"
import type { Normalization } from "../data/augment/normalization.ts"
import type { FrameSize } from "../data/augment/pad-crop-flip.ts"
import type { EvaluationBatch, LabelledImages } from "../data/batches.ts"
import type { ImagesError, ShardedImages } from "../data/ShardedImages.ts"
import { meanCrossEntropy } from "../metrics/cross-entropy.ts"
import { topK } from "../metrics/top-k.ts"
import type { Classifier } from "../models/Classifier.ts"
import { evaluation } from "../nn/Mode.ts"
import type { Weights } from "../nn/Weights.ts"
import type { Fetches, Precision, TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import { compileForward } from "./forward-batches.ts"
import type { MakeValidation } from "./Trainer.ts"
import { makeVariables, type Variables } from "./variables.ts"

export interface EvaluationOptions {
  readonly classifier: Classifier
  readonly dataset: LabelledImages | ShardedImages
  readonly normalization: Normalization
  /** Of the network's input; that of the images where left out. Of larger images the middle is taken. */
  readonly inputSize?: FrameSize | undefined
  /** Examples a step; 250 if not said. It changes no example's logits by more than rounding. */
  readonly batchSize?: number | undefined
  /** "float32" if not said, whatever the network was trained in. */
  readonly precision?: Precision | undefined
}

/**
 * An effect that runs the network over the whole dataset: logits `[N, K]` of the variables as they then
 * are.
 */
const compileLogits = Effect.fnUntraced(function* (
  { batchSize = 250, classifier, dataset, inputSize, normalization, precision }: EvaluationOptions,
  variables: Variables
) {
  const { numClasses } = classifier
  const numImages = dataset.labels.length
  const forward = yield* compileForward<"logits">({
    images: dataset,
    inputSize,
    numImages,
    normalization,
    batchSize,
    precision,
    apply: (images) => ({ logits: classifier.apply(variables, images, evaluation) })
  })
  return Effect.suspend(() => {
    const logits = new Float32Array(numImages * numClasses)
    const keep = ({ count, start }: EvaluationBatch, outputs: Fetches<"logits">) =>
      logits.set((outputs.logits as Float32Array).subarray(0, count * numClasses), start * numClasses)
    return Effect.as(forward(keep), logits)
  })
})

/** Logits `[N, K]` of a classifier with these weights, in the order of the dataset. */
export const classifierLogits = (
  options: EvaluationOptions & { readonly weights: Weights }
): Effect.Effect<Float32Array, TensorError | ImagesError, TensorRuntime> =>
  Effect.scoped(
    Effect.gen(function* () {
      const variables = yield* makeVariables(options.weights)
      return yield* yield* compileLogits(options, variables)
    })
  )

/** For the trainer: loss and top-1 on a validation set, compiled once. */
export const classifierValidation =
  (options: EvaluationOptions): MakeValidation =>
  (variables) =>
    Effect.map(compileLogits(options, variables), (run) =>
      Effect.map(run, (logits) => ({
        loss: meanCrossEntropy(logits, options.dataset.labels),
        top1: topK(logits, options.dataset.labels, 1)
      }))
    )
