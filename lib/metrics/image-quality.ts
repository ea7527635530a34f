/** How well one image came out, 0…1: to find the worst ones, not to compare models by. */

import { pairIou } from "../boxes/iou.ts"
import type { Detection } from "../boxes/nms.ts"
import type { Truths } from "./detection.ts"
import { countPixels, emptyPixelCounts, segmentationMetrics } from "./segmentation.ts"

/** Below it a detection is one that nobody would show. */
const shownScore = 0.5
const iouThreshold = 0.5

/**
 * F1 of the detections of at least score 0.5 against the boxes that are not difficult, matched greedily from
 * the best score on at IoU 0.5 within a class; 1 where there is nothing and nothing was found.
 */
export const detectionQuality = (truths: Truths, detections: ReadonlyArray<Detection>): number => {
  const free = new Set(Array.from(truths.classes, (_, box) => box).filter((box) => !truths.difficult[box]))
  const numTruths = free.size
  const shown = detections.filter(({ score }) => score >= shownScore).sort((a, b) => b.score - a.score)
  let hits = 0
  for (const { box, classIndex } of shown) {
    const found = [...free].find(
      (truth) =>
        truths.classes[truth] === classIndex &&
        pairIou(truths.boxes, truth, Float32Array.from(box), 0) >= iouThreshold
    )
    if (found === undefined) continue
    free.delete(found)
    hits++
  }
  return numTruths + shown.length === 0 ? 1 : (2 * hits) / (numTruths + shown.length)
}

/** Pixel accuracy of one mask; 1 where no pixel is labelled. */
export const segmentationQuality = (
  labels: Uint8Array,
  predictions: Uint8Array,
  numClasses: number
): number => {
  const counts = emptyPixelCounts(numClasses)
  countPixels(counts, labels, predictions)
  return segmentationMetrics(counts).pixelAccuracy ?? 1
}
