/**
 * Images through a classifier. Brings all of tfjs, so `predict` loads it once it knows that there is work for
 * it.
 */
import { Effect } from "effect"
import { rowProbabilities } from "../../lib/metrics/probabilities.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { decodeWeights } from "../../lib/models/weights.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { classifierLogits } from "../../lib/train/evaluate-classifier.ts"
import type { ClassifierValue } from "../../stages/artifacts.ts"
import { joinedPixels, type PreparedImage } from "./preparedImage.ts"

const batchSize = 32

/** Probabilities `[K]` of each image; all images are of the size that the classifier asks for. */
export const classify = Effect.fn("classify")(function* (
  model: ClassifierValue,
  images: ReadonlyArray<PreparedImage>
) {
  const { height, width, channels } = model.preprocessing
  const numClasses = model.classes.length
  const classifier = yield* loadClassifier({
    architecture: model.architecture,
    imageChannels: channels,
    numClasses
  })
  const bytes = yield* (yield* BlobStore).get(model.weights)
  const logits = yield* classifierLogits({
    classifier,
    weights: yield* decodeWeights(bytes, classifier.weights),
    dataset: {
      images: joinedPixels(images),
      labels: new Int32Array(images.length),
      height,
      width,
      channels
    },
    normalization: model.preprocessing,
    batchSize
  })
  const probabilities = rowProbabilities(logits, numClasses)
  return images.map((_, index) => probabilities.subarray(index * numClasses, (index + 1) * numClasses))
})
