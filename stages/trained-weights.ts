/** The end of every training stage: trained weights into the store, or a stop that keeps the state. */
import { Effect } from "effect"
import type { LabelledImages } from "../lib/data/batches.ts"
import type { ShardedImages } from "../lib/data/ShardedImages.ts"
import type { Classifier } from "../lib/models/Classifier.ts"
import { decodeWeights, encodeWeights } from "../lib/models/weights.ts"
import { type BlobRef, BlobStore } from "../lib/storage/BlobStore.ts"
import { TensorRuntime } from "../lib/tensor/Runtime.ts"
import { resultingWeights } from "../lib/train/ResumePoint.ts"
import type { TrainResult } from "../lib/train/Trainer.ts"
import { classifierTop1, scoringSample } from "../lib/train/teacher-score.ts"
import { JobContext, JobStopped } from "../lib/workflow/JobContext.ts"
import type { PreparedDatasetValue } from "./artifacts.ts"

/** Fails with `JobStopped` where training ended because it was asked to. */
export const trainedWeights = Effect.fn("trainedWeights")(function* ({
  dataSeconds,
  state,
  status
}: TrainResult) {
  if (status === "stopped") return yield* new JobStopped({ message: `stopped in epoch ${state.epoch + 1}` })
  const { numerics } = yield* TensorRuntime
  const earlier = state.computedWith.map((one) => ({ ...one }))
  const last = earlier.pop() ?? { ...numerics }
  const facts = { numerics: last, dataSeconds, ...(earlier.length > 0 && { earlierNumerics: earlier }) }
  yield* (yield* JobContext).provenance(facts)
  return {
    weights: yield* (yield* BlobStore).put(encodeWeights(resultingWeights(state))),
    history: state.history
  }
})

/**
 * What a classifier scores on training images where there was no validation split, for those it is going to
 * teach: part of its value; nothing where validation has told.
 */
export const trainingScore = Effect.fn("trainingScore")(function* (options: {
  readonly classifier: Classifier
  readonly weights: BlobRef
  readonly dataset: PreparedDatasetValue<"classification">
  readonly train: LabelledImages | ShardedImages
}) {
  const { classifier } = options
  const { preprocessing, validation } = options.dataset
  if (validation !== null) return {}
  const bytes = yield* (yield* BlobStore).get(options.weights)
  const weights = yield* decodeWeights(bytes, classifier.weights)
  const dataset = yield* scoringSample(options.train)
  const asSeen = { dataset, normalization: preprocessing, inputSize: preprocessing }
  const top1 = yield* classifierTop1({ classifier, weights, ...asSeen })
  return { trainingScore: { numExamples: dataset.labels.length, top1 } }
})
