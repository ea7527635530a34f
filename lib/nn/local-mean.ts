/** Average pooling that smooths: a window of cells around each cell, zeros beyond the border. */
import { tf } from "../tensor/tf.ts"

/**
 * `[N, H, W, C]` → the same shape, windows of `size` x `size`, an odd number. Zeros count, so an average at
 * the border is of fewer features (PyTorch's and MXNet's default; tfjs's own pooling leaves them out).
 *
 * Written as a depthwise convolution with a constant kernel, which pads by itself.
 */
export const localMean = (x: tf.Tensor4D, size: number): tf.Tensor4D => {
  const kernel = tf.fill<tf.Rank.R4>([size, size, x.shape[3], 1], 1 / size ** 2)
  return tf.depthwiseConv2d(x, kernel, 1, "same")
}
