/**
 * Images through a classifier. Brings all of tfjs, so `predict` loads it once it knows that there is work for
 * it.
 */
import { Effect } from "effect"
import type { RawImage } from "../../lib/data/ImageCodec.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { decodeWeights } from "../../lib/models/weights.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { classifierLogits } from "../../lib/train/evaluate-classifier.ts"
import type { ClassifierValue } from "../../stages/artifacts.ts"

const batchSize = 32

/** Pixels of images of equal size, one after the other: `[N, H, W, C]`. */
const joined = (images: ReadonlyArray<RawImage>): Uint8Array => {
  const size = images[0]?.pixels.length ?? 0
  const pixels = new Uint8Array(images.length * size)
  for (const [index, image] of images.entries()) pixels.set(image.pixels, index * size)
  return pixels
}

/** Row by row e^logit over their sum, the largest logit taken off first so that nothing overflows. */
const softmax = (logits: Float32Array): Float32Array => {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const exponentials = logits.map((logit) => Math.exp(logit - largest))
  const sum = exponentials.reduce((a, b) => a + b, 0)
  return exponentials.map((value) => value / sum)
}

/** Probabilities `[K]` of each image; all images are of the size that the classifier asks for. */
export const classify = Effect.fn("classify")(function* (
  model: ClassifierValue,
  images: ReadonlyArray<RawImage>
) {
  const { height, width, channels } = model.preprocessing
  const numClasses = model.classes.length
  const classifier = yield* loadClassifier({
    architecture: model.architecture,
    imageChannels: channels,
    numClasses
  })
  const blobs = yield* BlobStore
  const weights = yield* Effect.flatMap(blobs.get(model.weights), (bytes) =>
    decodeWeights(bytes, classifier.weights)
  )
  const logits = yield* classifierLogits({
    classifier,
    weights,
    dataset: { images: joined(images), labels: new Int32Array(images.length), height, width, channels },
    normalization: model.preprocessing,
    batchSize
  })
  return images.map((_, index) => softmax(logits.subarray(index * numClasses, (index + 1) * numClasses)))
})
