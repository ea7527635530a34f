/**
 * 2-D convolution with PyTorch's padding: `padding` zeros on every side, the window walking from the top
 * left. TensorFlow's "same" puts the odd zero at the bottom right, which differs for stride 2 on even
 * sizes.
 */
import { tf } from "../tensor/tf.ts"
import { type InitialValues, type WeightSpec, type WeightTensors, weightOf } from "./Weights.ts"

/** A square convolution. */
export interface Conv {
  readonly name: string
  readonly size: number
  readonly inputs: number
  readonly outputs: number
  readonly stride: number
  /** Cells from one tap to the next (atrous convolution); 1 where left out. Not beside a stride over 1. */
  readonly dilation?: number
  /** Adds a number to each output; left out where a normalisation follows, which would take it away again. */
  readonly bias?: true
  /** How kernel and bias start, where the initializer of the network does not decide. */
  readonly initial?: { readonly kernel?: InitialValues; readonly bias?: InitialValues }
}

/** Cells from the first to the last that a window covers. */
const reach = ({ dilation = 1, size }: Conv): number => dilation * (size - 1) + 1

/** Zeros on each side, as PyTorch's ResNets choose them: 3x3 gets 1 (its dilation, if any), 1x1 gets 0. */
const padding = (conv: Conv): number => (reach(conv) - 1) / 2

export const convWeights = (conv: Conv): ReadonlyArray<WeightSpec> => {
  const { bias, initial = {}, inputs, name, outputs, size } = conv
  const kernel: WeightSpec = {
    name: `${name}.weight`,
    shape: [size, size, inputs, outputs],
    role: "kernel",
    ...(initial.kernel && { initial: initial.kernel })
  }
  if (bias === undefined) return [kernel]
  const fanIn = size ** 2 * inputs
  const shift = { name: `${name}.bias`, shape: [outputs], role: "bias", fanIn } as const
  return [kernel, { ...shift, ...(initial.bias && { initial: initial.bias }) }]
}

/** Rows (or columns) that come out of `extent` rows: floor((extent + 2 padding - reach) / stride) + 1. */
export const convExtent = (conv: Conv, extent: number): number =>
  Math.floor((extent + 2 * padding(conv) - reach(conv)) / conv.stride) + 1

/** Multiply-accumulates for one image of `height` x `width` input pixels; products with padding count. */
export const convMacs = (conv: Conv, height: number, width: number): number =>
  conv.size ** 2 * conv.inputs * conv.outputs * convExtent(conv, height) * convExtent(conv, width)

/** `[N, H, W, inputs]` → `[N, H', W', outputs]`, H' = {@link convExtent}. */
export const conv2d = (weights: WeightTensors, conv: Conv, x: tf.Tensor4D): tf.Tensor4D => {
  const y = convolved(weights, conv, x)
  return conv.bias === undefined ? y : tf.add(y, weightOf(weights, `${conv.name}.bias`))
}

const convolved = (weights: WeightTensors, conv: Conv, x: tf.Tensor4D): tf.Tensor4D => {
  const kernel = weightOf(weights, `${conv.name}.weight`) as tf.Tensor4D
  const rows = zerosAround(conv, x.shape[1])
  const columns = zerosAround(conv, x.shape[2])
  const padded = (pad: "valid" | "same" | tf.backend_util.ExplicitPadding) =>
    tf.conv2d(x, kernel, conv.stride, pad, "NHWC", conv.dilation)
  if (isNone(rows) && isNone(columns)) return padded("valid")
  // "same" where it means the same: every backend is at its best there.
  if (isSame(conv, rows, x.shape[1]) && isSame(conv, columns, x.shape[2])) return padded("same")
  return padded([[0, 0], [...rows], [...columns], [0, 0]])
}

type Zeros = readonly [before: number, after: number]

/** The zeros that windows really touch: a last row of padding no window reaches is left out. */
const zerosAround = (conv: Conv, extent: number): Zeros => {
  const reached = (convExtent(conv, extent) - 1) * conv.stride + reach(conv)
  return [padding(conv), Math.max(0, reached - padding(conv) - extent)]
}

const isNone = ([before, after]: Zeros): boolean => before === 0 && after === 0

const isSame = (conv: Conv, [before, after]: Zeros, extent: number): boolean => {
  const extentOut = Math.ceil(extent / conv.stride)
  const total = Math.max(0, (extentOut - 1) * conv.stride + reach(conv) - extent)
  return (
    extentOut === convExtent(conv, extent) &&
    before === Math.floor(total / 2) &&
    after === Math.ceil(total / 2)
  )
}
