/** A segmenter's masks, and what they come to: validation between epochs, evaluation at the end. */
import { Effect } from "effect"
import type { Normalization } from "../data/augment/normalization.ts"
import type { EvaluationBatch, Images } from "../data/batches.ts"
import type { MaskedImages } from "../data/masked-images.ts"
import type { ImagesError } from "../data/ShardedImages.ts"
import { countPixels, emptyPixelCounts, segmentationMetrics } from "../metrics/segmentation.ts"
import type { Segmenter } from "../models/Segmenter.ts"
import { evaluation } from "../nn/Mode.ts"
import type { Weights } from "../nn/Weights.ts"
import type { Fetches, Precision, TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import { tf } from "../tensor/tf.ts"
import { compileForward } from "./forward-batches.ts"
import type { MakeValidation } from "./Trainer.ts"
import { makeVariables, type Variables } from "./variables.ts"

export interface SegmenterOptions {
  readonly segmenter: Segmenter
  readonly dataset: Images
  readonly normalization: Normalization
  /** "float32" if not said, whatever the network was trained in. */
  readonly precision?: Precision | undefined
}

/** Few enough for any machine's memory at the sizes segmenters work on. */
const batchSize = 8

const compileMasks = Effect.fnUntraced(function* (options: SegmenterOptions, variables: Variables) {
  const { dataset, normalization, precision, segmenter } = options
  const pixels = dataset.height * dataset.width
  const numImages = dataset.images.length / (pixels * dataset.channels)
  const forward = yield* compileForward<"classes">({
    images: dataset,
    numImages,
    normalization,
    batchSize,
    precision,
    apply: (images) => ({ classes: tf.argMax(segmenter.apply(variables, images, evaluation), -1) })
  })
  return Effect.suspend(() => {
    const masks = new Uint8Array(numImages * pixels)
    const keep = ({ count, start }: EvaluationBatch, { classes }: Fetches<"classes">) =>
      masks.set(classes.subarray(0, count * pixels), start * pixels)
    return Effect.as(forward(keep), masks)
  })
})

/** The likeliest class of every pixel, `[N, H, W]`. */
export const segment = (
  options: SegmenterOptions & { readonly weights: Weights }
): Effect.Effect<Uint8Array, TensorError | ImagesError, TensorRuntime> =>
  Effect.scoped(
    Effect.gen(function* () {
      const variables = yield* makeVariables(options.weights)
      return yield* yield* compileMasks(options, variables)
    })
  )

/** For the trainer: pixel accuracy and mean IoU on a validation set, compiled once. */
export const segmenterValidation =
  (options: SegmenterOptions & { readonly dataset: MaskedImages }): MakeValidation =>
  (variables) =>
    Effect.map(compileMasks(options, variables), (run) =>
      Effect.map(run, (masks) => {
        const counts = emptyPixelCounts(options.segmenter.numClasses)
        countPixels(counts, options.dataset.masks, masks)
        const { meanIou, pixelAccuracy } = segmentationMetrics(counts)
        return { meanIoU: meanIou ?? 0, pixelAccuracy: pixelAccuracy ?? 0 }
      })
    )
