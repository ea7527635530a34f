/**
 * What a detector finds in images, and what that comes to: validation between epochs, evaluation at the
 * end.
 */
import { Effect } from "effect"
import { decodeBoxes } from "../boxes/coder.ts"
import { clipBoxes } from "../boxes/iou.ts"
import { type Detection, selectDetections } from "../boxes/nms.ts"
import type { Normalization } from "../data/augment/normalization.ts"
import type { EvaluationBatch } from "../data/batches.ts"
import { type BoxedImages, boxesOfImage } from "../data/boxed-images.ts"
import type { ImagesError } from "../data/ShardedImages.ts"
import { vocAveragePrecision } from "../metrics/voc-average-precision.ts"
import type { Detector } from "../models/Detector.ts"
import { evaluation } from "../nn/Mode.ts"
import type { Weights } from "../nn/Weights.ts"
import type { Fetches, Precision, TensorError, TensorRuntime } from "../tensor/Runtime.ts"
import { tf } from "../tensor/tf.ts"
import { compileForward } from "./forward-batches.ts"
import type { MakeValidation } from "./Trainer.ts"
import { makeVariables, type Variables } from "./variables.ts"

export interface DetectorOptions {
  readonly detector: Detector
  /** `[A, 4]` for images of this size. */
  readonly anchors: Float32Array
  readonly dataset: Pick<BoxedImages, "images" | "height" | "width" | "channels" | "extents">
  readonly normalization: Normalization
  /** Detections up to this score are passed over; 0.05. */
  readonly scoreThreshold?: number | undefined
  /** "float32" if not said, whatever the network was trained in. */
  readonly precision?: Precision | undefined
}

/** Few enough for any machine's memory at the sizes detectors work on. */
const batchSize = 8

const compileDetections = Effect.fnUntraced(function* (options: DetectorOptions, variables: Variables) {
  const { anchors, dataset, detector, normalization, precision, scoreThreshold } = options
  const numAnchors = anchors.length / 4
  const { numClasses } = detector
  const numImages = dataset.extents.length / 2
  const forward = yield* compileForward<"scores" | "deltas">({
    images: dataset,
    numImages,
    normalization,
    batchSize,
    precision,
    apply: (images) => {
      const { deltas, logits } = detector.apply(variables, images, evaluation)
      return { scores: tf.sigmoid(logits), deltas }
    }
  })
  const detections = (image: number, row: number, { deltas, scores }: Fetches<"scores" | "deltas">) => {
    const part = (values: Fetches<"scores">["scores"], size: number) =>
      (values as Float32Array).subarray(row * numAnchors * size, (row + 1) * numAnchors * size)
    const [rows, columns] = dataset.extents.subarray(image * 2, image * 2 + 2)
    return selectDetections({
      boxes: clipBoxes(decodeBoxes(part(deltas, 4), anchors), rows!, columns!),
      scores: part(scores, numClasses),
      numClasses,
      ...(scoreThreshold !== undefined && { scoreThreshold })
    })
  }
  return Effect.suspend(() => {
    const found: Array<ReadonlyArray<Detection>> = []
    const keep = ({ count, start }: EvaluationBatch, outputs: Fetches<"scores" | "deltas">) => {
      for (let row = 0; row < count; row++) found.push(detections(start + row, row, outputs))
    }
    return Effect.as(forward(keep), found as ReadonlyArray<ReadonlyArray<Detection>>)
  })
})

/** The detections of every image, best first: boxes in pixels of the prepared image, inside of its extent. */
export const detect = (
  options: DetectorOptions & { readonly weights: Weights }
): Effect.Effect<ReadonlyArray<ReadonlyArray<Detection>>, TensorError | ImagesError, TensorRuntime> =>
  Effect.scoped(
    Effect.gen(function* () {
      const variables = yield* makeVariables(options.weights)
      return yield* yield* compileDetections(options, variables)
    })
  )

/** Truths beside what was found, as metrics want them. */
export const evaluatedImages = (truths: BoxedImages, found: ReadonlyArray<ReadonlyArray<Detection>>) =>
  found.map((detections, image) => ({ truths: boxesOfImage(truths, image), detections }))

/** For the trainer: VOC's AP at IoU 0.5 on a validation set, compiled once. */
export const detectorValidation =
  (options: DetectorOptions & { readonly dataset: BoxedImages }): MakeValidation =>
  (variables) =>
    Effect.map(compileDetections(options, variables), (run) =>
      Effect.map(run, (found) => {
        const images = evaluatedImages(options.dataset, found)
        return { ap50: vocAveragePrecision({ images, numClasses: options.detector.numClasses }).meanAp ?? 0 }
      })
    )
