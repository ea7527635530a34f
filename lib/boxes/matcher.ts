/**
 * Which anchor learns which box, as RetinaNet assigns them (arXiv 1708.02002 §4.1): by IoU, with a band
 * between box and background that the loss leaves out.
 */
import { boxIou } from "./iou.ts"

/** No loss at this anchor. */
export const IGNORED = -2
/** No box here: all classes are to be 0. */
export const BACKGROUND = -1

export interface MatchOptions {
  /** `[A, 4]` */
  readonly anchors: Float32Array
  /** `[B, 4]` */
  readonly boxes: Float32Array
  /** `[B]`, not 0 where a box is difficult: no anchor learns it, and none learns that nothing is there. */
  readonly difficult?: ArrayLike<number>
  /** From this IoU on an anchor learns its box; 0.5. */
  readonly positiveIou?: number
  /** Below this IoU with every box it learns background; 0.4. */
  readonly negativeIou?: number
  /** Each box keeps its best anchors, however small their IoU; on. */
  readonly keepBest?: boolean
}

/**
 * For each anchor `[A]` the index of its box, `BACKGROUND` or `IGNORED`.
 *
 * An anchor that is the best of several boxes goes to the one it covers best. Unlike torchvision's matcher,
 * the best anchor of a box becomes that box's, even where it covers another box better: the other one has a
 * better anchor then.
 */
export const matchAnchors = (options: MatchOptions): Int32Array => {
  const { anchors, boxes, difficult, positiveIou = 0.5, negativeIou = 0.4, keepBest = true } = options
  const numBoxes = boxes.length / 4
  const matches = new Int32Array(anchors.length / 4).fill(BACKGROUND)
  const ious = boxIou(anchors, boxes)
  const isDifficult = (box: number) => difficult !== undefined && difficult[box] !== 0
  for (let anchor = 0; anchor < matches.length; anchor++) {
    let [best, bestIou, anyIou] = [BACKGROUND, 0, 0]
    for (let box = 0; box < numBoxes; box++) {
      const iou = ious[anchor * numBoxes + box]!
      anyIou = Math.max(anyIou, iou)
      if (iou > bestIou && !isDifficult(box)) [best, bestIou] = [box, iou]
    }
    if (best >= 0 && bestIou >= positiveIou) matches[anchor] = best
    else if (anyIou >= negativeIou) matches[anchor] = IGNORED
  }
  if (keepBest) giveBestAnchors(matches, ious, numBoxes, isDifficult)
  return matches
}

const giveBestAnchors = (
  matches: Int32Array,
  ious: Float64Array,
  numBoxes: number,
  isDifficult: (box: number) => boolean
): void => {
  // Zeros at first: what does not overlap at all claims nothing.
  const claims = new Float64Array(matches.length)
  for (let box = 0; box < numBoxes; box++) {
    if (isDifficult(box)) continue
    let best = 0
    for (let at = box; at < ious.length; at += numBoxes) best = Math.max(best, ious[at]!)
    for (let anchor = 0; anchor < matches.length; anchor++) {
      if (ious[anchor * numBoxes + box] !== best || best <= claims[anchor]!) continue
      matches[anchor] = box
      claims[anchor] = best
    }
  }
}
