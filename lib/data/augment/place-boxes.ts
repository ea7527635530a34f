/** Boxes that follow their image into the frame. */
import type { ImageBoxes } from "../boxed-images.ts"
import { horizontalAxis, intervalInFrame, isInPlace, type Placement, verticalAxis } from "./placement.ts"

/** A box of which less than this share of its area is left in the frame is no longer to be found. */
const leastKept = 0.3
/** Nor is one of less than this many pixels in height or width. */
const leastSide = 2

/**
 * The boxes in pixels of the frame, cut at its edges. Those that leave it are dropped. Those that are mostly
 * cut off, or too small now, become difficult: something is there, but nobody shall learn it, neither as an
 * object nor as background.
 */
export const placeBoxes = (
  { boxes, classes, difficult }: ImageBoxes,
  placement: Placement,
  frame: { readonly height: number; readonly width: number }
): ImageBoxes => {
  if (isInPlace(placement) && !placement.flip && !placement.flipVertical) return { boxes, classes, difficult }
  const [vertical, horizontal] = [verticalAxis(placement), horizontalAxis(placement)]
  const placed = { boxes: [] as number[], classes: [] as number[], difficult: [] as number[] }
  for (let index = 0; index < classes.length; index++) {
    const [y1, x1, y2, x2] = boxes.subarray(index * 4, index * 4 + 4) as unknown as BoxEdges
    const rows = intervalInFrame(vertical, y1, y2)
    const columns = intervalInFrame(horizontal, x1, x2)
    const [top, bottom] = cut(rows, frame.height)
    const [left, right] = cut(columns, frame.width)
    if (!(bottom > top && right > left)) continue
    const area = (rows[1] - rows[0]) * (columns[1] - columns[0])
    const kept = ((bottom - top) * (right - left)) / area
    const isLost = kept < leastKept || Math.min(bottom - top, right - left) < leastSide
    placed.boxes.push(top, left, bottom, right)
    placed.classes.push(classes[index]!)
    placed.difficult.push(isLost ? 1 : difficult[index]!)
  }
  return {
    boxes: Float32Array.from(placed.boxes),
    classes: Int32Array.from(placed.classes),
    difficult: Uint8Array.from(placed.difficult)
  }
}

type BoxEdges = readonly [y1: number, x1: number, y2: number, x2: number]

const cut = ([from, to]: readonly [number, number], length: number): readonly [number, number] => [
  Math.max(0, from),
  Math.min(length, to)
]
