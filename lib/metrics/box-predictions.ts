/** What a detector found in every image, side by side, and how far that agrees with the labels. */
import type { Detection } from "../boxes/nms.ts"
import { type BoxedImages, boxesOfImage } from "../data/boxed-images.ts"
import type { BoxPredictions } from "../data/predictions.ts"
import { detectionQuality } from "./image-quality.ts"

/** `found`: of each image. */
export const boxPredictions = (
  labelled: BoxedImages,
  found: ReadonlyArray<ReadonlyArray<Detection>>
): BoxPredictions => {
  const all = found.flat()
  let end = 0
  return {
    boxes: Float32Array.from(all.flatMap(({ box }) => box)),
    classes: Int32Array.from(all, ({ classIndex }) => classIndex),
    scores: Float32Array.from(all, ({ score }) => score),
    offsets: Int32Array.from([0, ...found.map(({ length }) => (end += length))]),
    quality: Float32Array.from(found, (detections, image) =>
      detectionQuality(boxesOfImage(labelled, image), detections)
    )
  }
}
