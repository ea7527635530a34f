/**
 * Convolutions, and their gradients composed of operations the WebAssembly backend does well. It has no
 * kernel for the filter's gradient and none for depthwise ones, and its own input gradient is ten times
 * slower than a convolution.
 */
import { tf } from "../../../lib/tensor/tf.ts"
import { type PortableKernel, portableKernel } from "./PortableKernel.ts"
import { padOrCrop, spread } from "./padding.ts"

type Shape4 = [number, number, number, number]
type Info = tf.backend_util.Conv2DInfo

interface ConvAttrs {
  readonly strides: number | [number, number]
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding
  readonly dilations?: number | [number, number]
  readonly dimRoundingMode?: "floor" | "round" | "ceil"
  readonly inputShape: Shape4
  readonly filterShape: Shape4
}

const infoOf = (input: Shape4, filter: Shape4, attrs: ConvAttrs, depthwise: boolean): Info => {
  const dilations = attrs.dilations ?? 1
  const { strides, pad, dimRoundingMode } = attrs
  const { computeConv2DInfo } = tf.backend_util
  return computeConv2DInfo(input, filter, strides, dilations, pad, dimRoundingMode, depthwise)
}

const dilationsOf = (info: Info): [number, number] => [info.dilationHeight, info.dilationWidth]

/** The input as the taps of the filter see it: padded, and without the margin that no tap reaches. */
const reached = (x: tf.Tensor4D, info: Info): tf.Tensor4D => {
  const { top, left } = info.padInfo
  const height = (info.outHeight - 1) * info.strideHeight + info.effectiveFilterHeight
  const width = (info.outWidth - 1) * info.strideWidth + info.effectiveFilterWidth
  return padOrCrop(x, { top, left, bottom: height - info.inHeight - top, right: width - info.inWidth - left })
}

/** `dy` with strides undone and margins such that a `valid` convolution of it has the size of the input. */
const unstrided = (dy: tf.Tensor4D, info: Info): tf.Tensor4D => {
  const { top: padTop, left: padLeft } = info.padInfo
  const top = info.effectiveFilterHeight - 1 - padTop
  const left = info.effectiveFilterWidth - 1 - padLeft
  const bottom = info.inHeight + padTop - info.outHeight * info.strideHeight
  const right = info.inWidth + padLeft - info.outWidth * info.strideWidth
  return padOrCrop(spread(dy, info.strideHeight, info.strideWidth), { top, bottom, left, right })
}

/**
 * dW: the convolution of x and dy with batch and channels exchanged, `dy` being the filter: stride and
 * dilation change places.
 */
const filterGradient = portableKernel<{ x: tf.Tensor4D; dy: tf.Tensor4D }, ConvAttrs>(
  "Conv2DBackpropFilter",
  ({ x, dy }, attrs) => {
    const info = infoOf(x.shape, attrs.filterShape, attrs, false)
    const images = tf.transpose(reached(x, info), [3, 1, 2, 0])
    const filters = tf.transpose(dy, [1, 2, 0, 3])
    const strides: [number, number] = [info.dilationHeight, info.dilationWidth]
    const dilations: [number, number] = [info.strideHeight, info.strideWidth]
    const gradient = tf.conv2d(images, filters, strides, "valid", "NHWC", dilations)
    return tf.transpose(gradient, [1, 2, 0, 3])
  }
)

/** dx: the convolution of the unstrided `dy` with the filter turned by 180 degrees. */
const inputGradient = portableKernel<{ dy: tf.Tensor4D; filter: tf.Tensor4D }, ConvAttrs>(
  "Conv2DBackpropInput",
  ({ dy, filter }, attrs) => {
    const info = infoOf(attrs.inputShape, filter.shape, attrs, false)
    const turned = tf.transpose(tf.reverse(filter, [0, 1]), [0, 1, 3, 2])
    return tf.conv2d(unstrided(dy, info), turned, 1, "valid", "NHWC", dilationsOf(info))
  }
)

/** As above, one channel multiplier after the other: `[..., C * M]` seen as `[..., C, M]`. */
const depthwiseInputGradient = portableKernel<{ dy: tf.Tensor4D; filter: tf.Tensor4D }, ConvAttrs>(
  "DepthwiseConv2dNativeBackpropInput",
  ({ dy, filter }, attrs) => {
    const info = infoOf(attrs.inputShape, filter.shape, attrs, true)
    const [rows, columns, channels, multiplier] = filter.shape
    const padded = unstrided(dy, info)
    const [batch, height, width] = padded.shape
    const turned = tf.reverse(filter, [0, 1])
    const parts: Array<tf.Tensor> = Array.from({ length: multiplier }, (_, index) => {
      const perChannel = tf.reshape(padded, [batch * height * width, channels, multiplier])
      const gradient = tf.slice(perChannel, [0, 0, index], [batch * height * width, channels, 1])
      const taps = tf.slice(turned, [0, 0, 0, index], [rows, columns, channels, 1])
      return tf.depthwiseConv2d(
        tf.reshape(gradient, [batch, height, width, channels]) as tf.Tensor4D,
        taps as tf.Tensor4D,
        1,
        "valid",
        "NHWC",
        dilationsOf(info)
      )
    })
    return tf.addN(parts)
  }
)

/**
 * The forward pass. With padding "same" and a filter smaller than its stride the backend's own answers zeros;
 * the same padding written out it does right.
 */
const forward = (name: string, depthwise: boolean): PortableKernel =>
  portableKernel<{ x: tf.Tensor4D; filter: tf.Tensor4D }, ConvAttrs>(name, (inputs, attrs, own) => {
    const info = infoOf(inputs.x.shape, inputs.filter.shape, attrs, depthwise)
    const { effectiveFilterHeight, effectiveFilterWidth, strideHeight, strideWidth } = info
    const isSmall = effectiveFilterHeight < strideHeight || effectiveFilterWidth < strideWidth
    if (attrs.pad !== "same" || !isSmall) return own(inputs, attrs)
    const { bottom, left, right, top } = info.padInfo
    return own(inputs, {
      ...attrs,
      pad: [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0]
      ]
    })
  })

/** dW of each tap of the filter: what the tap saw, times `dy`, summed over batch, rows and columns. */
const depthwiseFilterGradient = portableKernel<{ x: tf.Tensor4D; dy: tf.Tensor4D }, ConvAttrs>(
  "DepthwiseConv2dNativeBackpropFilter",
  ({ x, dy }, attrs) => {
    const info = infoOf(x.shape, attrs.filterShape, attrs, true)
    const [rows, columns, channels, multiplier] = attrs.filterShape
    const seen = reached(x, info)
    const cells = info.batchSize * info.outHeight * info.outWidth
    const perChannel = tf.reshape(dy, [cells, channels, multiplier])
    const taps = Array.from({ length: rows * columns }, (_, tap) => {
      const row = Math.floor(tap / columns)
      const column = tap % columns
      const view = tapView(seen, info, row * info.dilationHeight, column * info.dilationWidth)
      return tf.sum(tf.mul(tf.reshape(view, [cells, channels, 1]), perChannel), 0)
    })
    return tf.reshape(tf.stack(taps), attrs.filterShape)
  }
)

/** What the tap at a place of a filter or window sees, `[N, outHeight, outWidth, C]`. */
export const tapView = (
  x: tf.Tensor4D,
  info: Pick<Info, "outHeight" | "outWidth" | "strideHeight" | "strideWidth">,
  row: number,
  column: number
): tf.Tensor4D => {
  const [batch, , , channels] = x.shape
  const height = (info.outHeight - 1) * info.strideHeight + 1
  const width = (info.outWidth - 1) * info.strideWidth + 1
  const end = [batch, row + height, column + width, channels]
  return tf.stridedSlice(x, [0, row, column, 0], end, [
    1,
    info.strideHeight,
    info.strideWidth,
    1
  ]) as tf.Tensor4D
}

export const convKernels: ReadonlyArray<PortableKernel> = [
  forward("Conv2D", false),
  forward("DepthwiseConv2dNative", true),
  forward("FusedConv2D", false),
  forward("FusedDepthwiseConv2D", true),
  filterGradient,
  inputGradient,
  depthwiseInputGradient,
  depthwiseFilterGradient
]
