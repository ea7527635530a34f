/**
 * Area and overlap of boxes `[y1, x1, y2, x2]`: y2 and x2 lie behind the last pixel, so a box of one pixel is
 * `[0, 0, 1, 1]`. Lists of boxes are flat, `[B, 4]`. Arithmetic is double, as COCO's.
 */

/** Areas `[B]` in square pixels; a box without height or width has none. */
export const boxAreas = (boxes: Float32Array): Float64Array =>
  Float64Array.from({ length: boxes.length / 4 }, (_, index) => areaOf(boxes, index * 4))

/** Intersection over union of every box of `a` `[A, 4]` with every one of `b` `[B, 4]`: `[A, B]`, 0…1. */
export const boxIou = (a: Float32Array, b: Float32Array): Float64Array => {
  const areas = boxAreas(b)
  const matrix = new Float64Array((a.length / 4) * areas.length)
  // Unrolled: every anchor meets every box of an image here, in each step of training.
  for (let row = 0, at = 0; row < a.length; row += 4) {
    const [y1, x1, y2, x2] = [a[row]!, a[row + 1]!, a[row + 2]!, a[row + 3]!]
    const area = areaOf(a, row)
    for (let column = 0; column < areas.length; column++, at++) {
      const start = column * 4
      const height = Math.min(y2, b[start + 2]!) - Math.max(y1, b[start]!)
      if (!(height > 0)) continue
      const width = Math.min(x2, b[start + 3]!) - Math.max(x1, b[start + 1]!)
      if (!(width > 0)) continue
      const intersection = height * width
      matrix[at] = intersection / (area + areas[column]! - intersection)
    }
  }
  return matrix
}

/** IoU of box `i` of `a` with box `j` of `b`; 0 where one of them has no area. */
export const pairIou = (a: Float32Array, i: number, b: Float32Array, j: number): number => {
  const [p, q] = [i * 4, j * 4]
  const height = Math.min(a[p + 2]!, b[q + 2]!) - Math.max(a[p]!, b[q]!)
  const width = Math.min(a[p + 3]!, b[q + 3]!) - Math.max(a[p + 1]!, b[q + 1]!)
  if (!(height > 0 && width > 0)) return 0
  const intersection = height * width
  return intersection / (areaOf(a, p) + areaOf(b, q) - intersection)
}

/** The parts of boxes `[B, 4]` inside an image of `height` × `width` pixels; a box outside loses its area. */
export const clipBoxes = (boxes: Float32Array, height: number, width: number): Float32Array =>
  boxes.map((value, index) => Math.min(Math.max(value, 0), index % 2 === 0 ? height : width))

const areaOf = (boxes: Float32Array, start: number): number =>
  Math.max(boxes[start + 2]! - boxes[start]!, 0) * Math.max(boxes[start + 3]! - boxes[start + 1]!, 0)
