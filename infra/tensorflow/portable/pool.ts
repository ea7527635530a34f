/**
 * The gradients of pooling. The WebAssembly backend's own for max pooling is wrong in every case we tried,
 * and tfjs's for average pooling (on any backend) divides by the whole window also where the window hangs
 * over the border.
 */
import { tf } from "../../../lib/tensor/tf.ts"
import { tapView } from "./conv.ts"
import { type PortableKernel, portableKernel } from "./PortableKernel.ts"
import { type Margins, padOrCrop, spread } from "./padding.ts"

interface PoolAttrs {
  readonly filterSize: number | [number, number]
  readonly strides: number | [number, number]
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding
  readonly dimRoundingMode?: "floor" | "round" | "ceil"
}

type Info = tf.backend_util.Conv2DInfo

/**
 * The windows over an input: their geometry, and what has to be added around the input for all to be whole.
 */
interface Windows {
  readonly info: Info
  readonly height: number
  readonly width: number
  readonly margins: Margins
}

const windowsOver = (input: tf.Tensor4D, attrs: PoolAttrs): Windows => {
  const { filterSize, strides, pad, dimRoundingMode } = attrs
  const info = tf.backend_util.computePool2DInfo(input.shape, filterSize, strides, 1, pad, dimRoundingMode)
  const height = (info.outHeight - 1) * info.strideHeight + info.filterHeight
  const width = (info.outWidth - 1) * info.strideWidth + info.filterWidth
  const { top, left } = info.padInfo
  const margins = { top, left, bottom: height - info.inHeight - top, right: width - info.inWidth - left }
  return { info, height, width, margins }
}

/** Adds up what each window hands to the cell under each of its taps, `[N, H, W, C]`. */
const scatter = (
  { info, height, width, margins }: Windows,
  share: (row: number, column: number) => tf.Tensor4D
): tf.Tensor4D => {
  const parts: Array<tf.Tensor4D> = []
  for (let row = 0; row < info.filterHeight; row += 1) {
    for (let column = 0; column < info.filterWidth; column += 1) {
      const spaced = spread(share(row, column), info.strideHeight, info.strideWidth)
      const bottom = height - row - spaced.shape[1]
      const right = width - column - spaced.shape[2]
      parts.push(padOrCrop(spaced, { top: row, left: column, bottom, right }))
    }
  }
  const { top, bottom, left, right } = margins
  const gradient = parts.reduce((sum, part) => tf.add(sum, part) as tf.Tensor4D)
  return padOrCrop(gradient, { top: -top, left: -left, bottom: -bottom, right: -right })
}

/** Each window hands its gradient to its first largest cell, in the order of rows, as TensorFlow does. */
const maxPoolGradient = portableKernel<{ [K in "dy" | "input" | "output"]: tf.Tensor4D }, PoolAttrs>(
  "MaxPoolGrad",
  ({ dy, input, output }, attrs) => {
    const windows = windowsOver(input, attrs)
    const padded = padOrCrop(input, windows.margins, Number.NEGATIVE_INFINITY)
    let open: tf.Tensor4D = tf.onesLike(output)
    return scatter(windows, (row, column) => {
      const largest = tf.cast(tf.equal(tapView(padded, windows.info, row, column), output), "float32")
      const winner = tf.mul(largest, open) as tf.Tensor4D
      open = tf.sub(open, winner)
      return tf.mul(dy, winner)
    })
  }
)

/** Each window hands equal parts of its gradient to those of its cells that lie within the input. */
const averagePoolGradient = portableKernel<{ [K in "dy" | "input"]: tf.Tensor4D }, PoolAttrs>(
  "AvgPoolGrad",
  ({ dy, input }, attrs) => {
    const windows = windowsOver(input, attrs)
    const inside = tf.ones([1, windows.info.inHeight, windows.info.inWidth, 1]) as tf.Tensor4D
    const padded = padOrCrop(inside, windows.margins)
    let cells: tf.Tensor4D = tf.zeros([1, windows.info.outHeight, windows.info.outWidth, 1])
    for (let row = 0; row < windows.info.filterHeight; row += 1) {
      for (let column = 0; column < windows.info.filterWidth; column += 1) {
        cells = tf.add(cells, tapView(padded, windows.info, row, column))
      }
    }
    const part = tf.div(dy, cells) as tf.Tensor4D
    return scatter(windows, () => part)
  }
)

export const poolKernels: ReadonlyArray<PortableKernel> = [maxPoolGradient, averagePoolGradient]
