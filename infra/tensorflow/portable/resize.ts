/**
 * The gradients of resizing: of bilinear, which tfjs's WebAssembly backend does not have, and of nearest,
 * which it gets wrong with half-pixel centres.
 */
import { tf } from "../../../lib/tensor/tf.ts"
import { type PortableKernel, portableKernel } from "./PortableKernel.ts"

interface ResizeAttrs {
  readonly alignCorners: boolean
  readonly halfPixelCenters: boolean
}

/** Where the centre of output cell `index` lies among the input cells, 0 being the centre of the first. */
const sourceOf = (index: number, from: number, to: number, attrs: ResizeAttrs): number => {
  if (attrs.alignCorners && to > 1) return (index * (from - 1)) / (to - 1)
  const scale = from / to
  return attrs.halfPixelCenters ? (index + 0.5) * scale - 0.5 : index * scale
}

/** Resizing `from` cells in a row to `to` is a matrix; this is its transpose, `[1, from, to]`. */
type Weights = (from: number, to: number, attrs: ResizeAttrs) => tf.Tensor3D

const bilinearWeights: Weights = (from, to, attrs) => {
  const weights = new Float32Array(from * to)
  for (let index = 0; index < to; index += 1) {
    const source = sourceOf(index, from, to, attrs)
    const below = Math.floor(source)
    const share = source - below
    const inside = (cell: number) => Math.min(Math.max(cell, 0), from - 1)
    weights[inside(below) * to + index]! += 1 - share
    weights[inside(below + 1) * to + index]! += share
  }
  return tf.tensor3d(weights, [1, from, to])
}

/** As the backend's own forward pass picks them. */
const nearestWeights: Weights = (from, to, attrs) => {
  const weights = new Float32Array(from * to)
  const scale = attrs.alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to
  for (let index = 0; index < to; index += 1) {
    const source = scale * (attrs.halfPixelCenters ? index + 0.5 : index)
    const cell = attrs.alignCorners ? Math.round(source) : Math.floor(source)
    weights[Math.min(Math.max(cell, 0), from - 1) * to + index] = 1
  }
  return tf.tensor3d(weights, [1, from, to])
}

/** Rows and columns are resized one after the other, so the gradient is two matrix products. */
const gradient = (name: string, weights: Weights): PortableKernel =>
  portableKernel<{ images: tf.Tensor4D; dy: tf.Tensor4D }, ResizeAttrs>(name, ({ dy, images }, attrs) => {
    const [batch, height, width, channels] = images.shape
    const [, rows, columns] = dy.shape
    const byRows = tf.matMul(weights(height, rows, attrs), tf.reshape(dy, [batch, rows, columns * channels]))
    const byColumns = tf.matMul(
      weights(width, columns, attrs),
      tf.reshape(byRows, [batch * height, columns, channels])
    )
    return tf.reshape(byColumns, images.shape)
  })

export const resizeKernels: ReadonlyArray<PortableKernel> = [
  gradient("ResizeBilinearGrad", bilinearWeights),
  gradient("ResizeNearestNeighborGrad", nearestWeights)
]
