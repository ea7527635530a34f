/** What a classifier scores where there was no validation split, for those it is going to teach. */
import { Effect } from "effect"
import type { LabelledImages } from "../lib/data/batches.ts"
import type { Classifier } from "../lib/models/Classifier.ts"
import { decodeWeights } from "../lib/models/weights.ts"
import { type BlobRef, BlobStore } from "../lib/storage/BlobStore.ts"
import { classifierTop1, scoringSample } from "../lib/train/teacher-score.ts"
import type { PreparedDatasetValue } from "./artifacts.ts"

/** Part of the classifier's value: nothing where validation has told. */
export const trainingScore = Effect.fn("trainingScore")(function* (options: {
  readonly classifier: Classifier
  readonly weights: BlobRef
  readonly dataset: PreparedDatasetValue<"classification">
  readonly train: LabelledImages
}) {
  const { classifier } = options
  const { preprocessing, validation } = options.dataset
  if (validation !== null) return {}
  const bytes = yield* (yield* BlobStore).get(options.weights)
  const weights = yield* decodeWeights(bytes, classifier.weights)
  const dataset = scoringSample(options.train)
  const asSeen = { dataset, normalization: preprocessing, inputSize: preprocessing }
  const top1 = yield* classifierTop1({ classifier, weights, ...asSeen })
  return { trainingScore: { numExamples: dataset.labels.length, top1 } }
})
