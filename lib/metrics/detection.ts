/** What the two protocols of average precision have in common: their input, and one class's part of it. */
import type { Detection } from "../boxes/nms.ts"

/** What the data say of one image. */
export interface Truths {
  /** `[B, 4]`, `[y1, x1, y2, x2]` in absolute pixels */
  readonly boxes: Float32Array
  /** `[B]` */
  readonly classes: ArrayLike<number>
  /** `[B]`, not 0 where finding or missing the box is to count for nothing. */
  readonly difficult: ArrayLike<number>
}

/** Both lists may be empty; the detections in any order. */
export interface EvaluatedImage {
  readonly truths: Truths
  readonly detections: ReadonlyArray<Detection>
}

/** One image as one class sees it. */
export interface ClassImage {
  /** `[B, 4]` */
  readonly truthBoxes: Float32Array
  /** `[B]` */
  readonly difficult: ReadonlyArray<boolean>
  /** `[D, 4]`, by falling score (equal scores in the order given) */
  readonly detectionBoxes: Float32Array
  /** `[D]` */
  readonly scores: ReadonlyArray<number>
}

export const imageOfClass = ({ truths, detections }: EvaluatedImage, classIndex: number): ClassImage => {
  const own = Array.from(truths.classes, (_, box) => box).filter((box) => truths.classes[box] === classIndex)
  const found = detections
    .filter((detection) => detection.classIndex === classIndex)
    .sort((a, b) => b.score - a.score)
  return {
    truthBoxes: Float32Array.from(own.flatMap((box) => [...truths.boxes.subarray(box * 4, box * 4 + 4)])),
    difficult: own.map((box) => truths.difficult[box] !== 0),
    detectionBoxes: Float32Array.from(found.flatMap(({ box }) => box)),
    scores: found.map(({ score }) => score)
  }
}

/** The mean of what is known: classes without truths have no average precision. `null` where none has. */
export const meanOfKnown = (values: ReadonlyArray<number | null>): number | null => {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0) / known.length
}
