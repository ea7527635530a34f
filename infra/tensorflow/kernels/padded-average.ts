/**
 * Average pooling with explicit padding, which TensorFlow does not have: the input is padded beforehand, and
 * averages over windows that hang over the border are scaled to count the cells inside alone.
 */
import { tf } from "../../../lib/tensor/tf.ts"

type Info = tf.backend_util.Conv2DInfo
type Margins = [[number, number], [number, number], [number, number], [number, number]]

/** What has to stand around the input for all windows to be whole. */
const marginsOf = (info: Info): Margins => {
  const { top, left } = info.padInfo
  const height = (info.outHeight - 1) * info.strideHeight + info.filterHeight
  const width = (info.outWidth - 1) * info.strideWidth + info.filterWidth
  const bottom = Math.max(0, height - info.inHeight - top)
  const right = Math.max(0, width - info.inWidth - left)
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0]
  ]
}

/** `[1, H', W', 1]`: by how much an average over the cells inside exceeds one over the whole window. */
const shares = (info: Info): tf.Tensor4D => {
  const inside = (place: number, stride: number, size: number, before: number, length: number): number => {
    const from = place * stride - before
    return Math.min(from + size, length) - Math.max(from, 0)
  }
  const values = new Float32Array(info.outHeight * info.outWidth)
  for (let row = 0; row < info.outHeight; row += 1) {
    const rows = inside(row, info.strideHeight, info.filterHeight, info.padInfo.top, info.inHeight)
    for (let column = 0; column < info.outWidth; column += 1) {
      const columns = inside(column, info.strideWidth, info.filterWidth, info.padInfo.left, info.inWidth)
      values[row * info.outWidth + column] = (info.filterHeight * info.filterWidth) / (rows * columns)
    }
  }
  return tf.tensor4d(values, [1, info.outHeight, info.outWidth, 1])
}

const windowOf = (info: Info) => ({
  filterSize: [info.filterHeight, info.filterWidth],
  strides: [info.strideHeight, info.strideWidth],
  pad: "valid"
})

/** `[N, H, W, C]` → `[N, H', W', C]` */
export const paddedAverage = (x: tf.Tensor4D, info: Info): tf.Tensor => {
  const averages = tf.engine().runKernel("AvgPool", { x: tf.pad(x, marginsOf(info)) }, windowOf(info))
  return tf.mul(averages as tf.Tensor, shares(info))
}

/** `[N, H', W', C]` → `[N, H, W, C]` */
export const paddedAverageGradient = (dy: tf.Tensor, x: tf.Tensor4D, info: Info): tf.Tensor => {
  const inputs = { dy: tf.mul(dy, shares(info)), input: tf.pad(x, marginsOf(info)) }
  const gradient = tf.engine().runKernel("AvgPoolGrad", inputs, windowOf(info)) as tf.Tensor
  return tf.slice(gradient, [0, info.padInfo.top, info.padInfo.left, 0], x.shape)
}
