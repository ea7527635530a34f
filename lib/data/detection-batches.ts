/** Batches for a detector: augmented images, and what each anchor is to learn. */
import { type DeltaWeights, encodeMatched, UNIT_WEIGHTS } from "../boxes/coder.ts"
import { type MatchOptions, matchAnchors } from "../boxes/matcher.ts"
import { placeBoxes } from "./augment/place-boxes.ts"
import type { TrainingBatches } from "./batches.ts"
import { type BoxedImages, boxesOfImage, type ImageBoxes } from "./boxed-images.ts"
import { type DenseBatchesOptions, placedImages } from "./dense-batches.ts"

export interface DetectionBatchesOptions extends DenseBatchesOptions {
  readonly dataset: BoxedImages
  /** `[A, 4]` for images of this size. */
  readonly anchors: Float32Array
  /** How anchors find their boxes; RetinaNet's way if not said. */
  readonly matching?: Pick<MatchOptions, "positiveIou" | "negativeIou" | "keepBest">
  /** Factors on the deltas; 1 if not said. A decoder must be told the same. */
  readonly deltaWeights?: DeltaWeights
}

/**
 * Shuffled batches of `images` `[N, H, W, C]`, `labels` `[N, A]` (the class of each anchor's box, -1 for
 * background, -2 for no loss) and `deltas` `[N, A, 4]` (0 where an anchor has no box). The last partial batch
 * of an epoch is dropped.
 */
export const detectionBatches = (
  options: DetectionBatchesOptions
): TrainingBatches<"images" | "labels" | "deltas"> => {
  const { anchors, batchSize, dataset } = options
  const { channels, height, offsets, width } = dataset
  const numAnchors = anchors.length / 4
  const placeImages = placedImages(dataset, options)
  return {
    batchSize,
    numExamples: offsets.length - 1,
    stepsPerEpoch: Math.floor((offsets.length - 1) / batchSize),
    inputs: {
      images: { shape: [batchSize, height, width, channels], dtype: "float32" },
      labels: { shape: [batchSize, numAnchors], dtype: "int32" },
      deltas: { shape: [batchSize, numAnchors, 4], dtype: "float32" }
    },
    fill: (position, feeds) => {
      for (const { example, placement, slot } of placeImages(position, feeds.images as Float32Array)) {
        const boxes = placeBoxes(boxesOfImage(dataset, example), placement, dataset)
        const { deltas, labels } = anchorTargets(boxes, options)
        feeds.labels.set(labels, slot * numAnchors)
        feeds.deltas.set(deltas, slot * numAnchors * 4)
      }
    }
  }
}

/** What the anchors of one image learn: `labels` `[A]`, `deltas` `[A, 4]`. */
const anchorTargets = (
  { boxes, classes, difficult }: ImageBoxes,
  { anchors, deltaWeights = UNIT_WEIGHTS, matching }: DetectionBatchesOptions
) => {
  const matches = matchAnchors({ anchors, boxes, difficult, ...matching })
  return {
    // Below 0 a match is background or ignored, under the same number as in labels.
    labels: matches.map((box) => (box < 0 ? box : classes[box]!)),
    deltas: encodeMatched(matches, boxes, anchors, deltaWeights)
  }
}
