/** The 2x2 average pool in the shortcuts of ResNet-D. */
import { tf } from "../tensor/tf.ts"

/**
 * `[N, H, W, C]` → `[N, ceil(H / 2), ceil(W / 2), C]`: on odd sizes the last windows hang over the border,
 * and average the cells inside alone (PyTorch's ceil mode, padding not counted).
 */
export const averagePoolHalving = (x: tf.Tensor4D): tf.Tensor4D => tf.avgPool(x, 2, 2, "same")

/**
 * `[N, H, W, C]` → the same shape: the averages of 2x2 cells that lie `dilation` apart. Those in every
 * (2 `dilation`)-th row and column are what {@link averagePoolHalving} makes of every `dilation`-th cell.
 */
export const averagePoolDilated = (x: tf.Tensor4D, dilation: number): tf.Tensor4D =>
  averagedWithNext(averagedWithNext(x, 1, dilation), 2, dilation)

/** Each cell with the one `distance` further on; where there is none, the cell itself. */
const averagedWithNext = (x: tf.Tensor4D, axis: 1 | 2, distance: number): tf.Tensor4D => {
  const extent = x.shape[axis]
  if (extent <= distance) return x
  const from = (start: number): tf.Tensor4D => {
    const begin: [number, number, number, number] = [0, 0, 0, 0]
    begin[axis] = start
    return tf.slice(x, begin)
  }
  const next = tf.concat([from(distance), from(extent - distance)], axis)
  return tf.mul(tf.add(x, next), 0.5)
}
