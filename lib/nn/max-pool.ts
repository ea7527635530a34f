/** The pool behind a ResNet's stem: 3x3 windows, stride 2, with PyTorch's padding of 1 on every side. */
import { tf } from "../tensor/tf.ts"

/**
 * `[N, H, W, C]` → `[N, ceil(H / 2), ceil(W / 2), C]`, windows walking from one cell outside the top left.
 * "same" begins there on odd sizes only: on even ones it hangs over at the bottom right. What is padded never
 * is the largest, whatever the sign of the features.
 */
export const maxPoolHalving = (x: tf.Tensor4D): tf.Tensor4D => {
  const [, height, width] = x.shape
  if (height % 2 === 1 && width % 2 === 1) return tf.maxPool(x, 3, 2, "same")
  return tf.maxPool(x, 3, 2, [[0, 0], margin(height), margin(width), [0, 0]])
}

/** Before and after; on even sizes no window reaches the padding after. */
const margin = (extent: number): [number, number] => [1, extent % 2]
