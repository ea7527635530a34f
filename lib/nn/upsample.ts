/** Making feature maps larger. */
import { tf } from "../tensor/tf.ts"

/**
 * Every cell repeated twice in both directions, `[N, H, W, C]` → `[N, rows, columns, C]`: `rows` is 2H or
 * 2H - 1 and `columns` 2W or 2W - 1, the sizes that halving makes H x W of. The same cells as PyTorch's
 * nearest interpolation to that size.
 *
 * Written with concatenations, whose gradient every backend has: tfjs's nearest resizing has none on
 * WebAssembly.
 */
export const repeatTwice = (x: tf.Tensor4D, rows: number, columns: number): tf.Tensor4D => {
  const [batch, height, width, channels] = x.shape
  // Two copies of the channels beside each other are, seen as twice as many columns, each cell twice.
  const wide = tf.reshape(tf.concat([x, x], 3), [batch, height, 2 * width * channels])
  const twice = tf.concat([wide, wide], 2)
  const full: tf.Tensor4D = tf.reshape(twice, [batch, 2 * height, 2 * width, channels])
  return rows === 2 * height && columns === 2 * width
    ? full
    : tf.slice(full, [0, 0, 0, 0], [batch, rows, columns, channels])
}

/**
 * Bilinear interpolation `[N, H, W, C]` → `[N, rows, columns, C]` with half-pixel centres: cell i of n covers
 * the part from i/n to (i + 1)/n of the picture (PyTorch's `align_corners=False`).
 */
export const resizeBilinear = (x: tf.Tensor4D, rows: number, columns: number): tf.Tensor4D =>
  x.shape[1] === rows && x.shape[2] === columns ? x : tf.image.resizeBilinear(x, [rows, columns], false, true)
