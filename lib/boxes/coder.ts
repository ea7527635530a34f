/**
 * Boxes as a network regresses them: deltas `(dy, dx, dh, dw)` from an anchor, the shift of the centre in
 * units of the anchor's size and the logarithm of the change of size (Girshick et al., R-CNN, arXiv 1311.2524
 * appendix C).
 */

/** Factors on `dy, dx, dh, dw`; their reciprocals are what SSD calls variances. */
export type DeltaWeights = readonly [dy: number, dx: number, dh: number, dw: number]

/** RetinaNet's: deltas as they are. */
export const UNIT_WEIGHTS: DeltaWeights = [1, 1, 1, 1]
/** SSD's and Fast R-CNN's (variances 0.1, 0.1, 0.2, 0.2): deltas of about unit deviation. */
export const SSD_WEIGHTS: DeltaWeights = [10, 10, 5, 5]

/** A box decodes to at most 62.5 times its anchor's height or width: no exponential overflows. */
const LOG_SCALE_MAX = Math.log(1000 / 16)

/** Deltas `[A, 4]` that lead from each anchor `[A, 4]` to the box `[A, 4]` in its row; all with an area. */
export const encodeBoxes = (
  boxes: Float32Array,
  anchors: Float32Array,
  weights: DeltaWeights = UNIT_WEIGHTS
): Float32Array => {
  const deltas = new Float32Array(anchors.length)
  for (let start = 0; start < anchors.length; start += 4) {
    writeDeltas(deltas, start, centredBox(boxes, start), centredBox(anchors, start), weights)
  }
  return deltas
}

/**
 * The regression targets of one image: deltas `[A, 4]` from each anchor to the box `[B, 4]` that `matches`
 * `[A]` names (see `matchAnchors`), zeros where it names none.
 */
export const encodeMatched = (
  matches: Int32Array,
  boxes: Float32Array,
  anchors: Float32Array,
  weights: DeltaWeights = UNIT_WEIGHTS
): Float32Array => {
  const deltas = new Float32Array(anchors.length)
  for (let anchor = 0; anchor < matches.length; anchor++) {
    const box = matches[anchor]!
    if (box < 0) continue
    writeDeltas(deltas, anchor * 4, centredBox(boxes, box * 4), centredBox(anchors, anchor * 4), weights)
  }
  return deltas
}

/** The boxes `[A, 4]` that deltas `[A, 4]` describe; they may reach beyond the image. */
export const decodeBoxes = (
  deltas: Float32Array,
  anchors: Float32Array,
  weights: DeltaWeights = UNIT_WEIGHTS
): Float32Array => {
  const boxes = new Float32Array(anchors.length)
  for (let start = 0; start < anchors.length; start += 4) {
    const anchor = centredBox(anchors, start)
    const y = anchor.y + (deltas[start]! / weights[0]) * anchor.height
    const x = anchor.x + (deltas[start + 1]! / weights[1]) * anchor.width
    const height = anchor.height * Math.exp(Math.min(deltas[start + 2]! / weights[2], LOG_SCALE_MAX))
    const width = anchor.width * Math.exp(Math.min(deltas[start + 3]! / weights[3], LOG_SCALE_MAX))
    boxes[start] = y - height / 2
    boxes[start + 1] = x - width / 2
    boxes[start + 2] = y + height / 2
    boxes[start + 3] = x + width / 2
  }
  return boxes
}

interface CentredBox {
  readonly y: number
  readonly x: number
  readonly height: number
  readonly width: number
}

const centredBox = (boxes: Float32Array, start: number): CentredBox => {
  const height = boxes[start + 2]! - boxes[start]!
  const width = boxes[start + 3]! - boxes[start + 1]!
  return { y: boxes[start]! + height / 2, x: boxes[start + 1]! + width / 2, height, width }
}

const writeDeltas = (
  deltas: Float32Array,
  start: number,
  box: CentredBox,
  anchor: CentredBox,
  weights: DeltaWeights
): void => {
  deltas[start] = (weights[0] * (box.y - anchor.y)) / anchor.height
  deltas[start + 1] = (weights[1] * (box.x - anchor.x)) / anchor.width
  deltas[start + 2] = weights[2] * Math.log(box.height / anchor.height)
  deltas[start + 3] = weights[3] * Math.log(box.width / anchor.width)
}
