/**
 * 2-D convolution with PyTorch's padding: `padding` zeros on every side, the window walking from the top
 * left. TensorFlow's "same" puts the odd zero at the bottom right, which differs for stride 2 on even
 * sizes.
 */
import { tf } from "../tensor/tf.ts"
import { type InitialValues, type WeightSpec, type WeightTensors, weightOf } from "./Weights.ts"

export interface Conv {
  readonly name: string
  /** Of the kernel; one number for a square. */
  readonly size: number | readonly [rows: number, columns: number]
  readonly inputs: number
  readonly outputs: number
  readonly stride: number
  /** Cells from one tap to the next (atrous convolution); 1 where left out. Not beside a stride over 1. */
  readonly dilation?: number
  /** "none" uses whole windows only; else as many zeros on each side as keep the size at stride 1. */
  readonly padding?: "none"
  /** Every channel has a filter of its own and mixes with no other: as many outputs as inputs. */
  readonly depthwise?: true
  /** Adds a number to each output; left out where a normalisation follows, which would take it away again. */
  readonly bias?: true
  /** How kernel and bias start, where the initializer of the network does not decide. */
  readonly initial?: { readonly kernel?: InitialValues; readonly bias?: InitialValues }
}

const kernelSize = ({ size }: Conv): readonly [rows: number, columns: number] =>
  typeof size === "number" ? [size, size] : size

/** Channels that one output reads. */
const inputsPerOutput = ({ depthwise, inputs }: Conv): number => (depthwise ? 1 : inputs)

/** A convolution along rows or along columns. */
interface Axis {
  /** Cells from the first to the last that a window covers. */
  readonly reach: number
  /** Zeros on each side, as PyTorch's ResNets choose them: 3x3 gets 1 (its dilation, if any), 1x1 gets 0. */
  readonly zeros: number
  readonly stride: number
}

const axes = (conv: Conv): readonly [rows: Axis, columns: Axis] => {
  const [rows, columns] = kernelSize(conv)
  return [axis(conv, rows), axis(conv, columns)]
}

const axis = ({ dilation = 1, padding, stride }: Conv, size: number): Axis => {
  const reach = dilation * (size - 1) + 1
  return { reach, zeros: padding === "none" ? 0 : (reach - 1) / 2, stride }
}

/** Kernels are `[rows, columns, in, out]`, depthwise ones `[rows, columns, 1, out]`. */
export const convWeights = (conv: Conv): ReadonlyArray<WeightSpec> => {
  const { bias, initial = {}, name, outputs } = conv
  const [rows, columns] = kernelSize(conv)
  const kernel: WeightSpec = {
    name: `${name}.weight`,
    shape: [rows, columns, inputsPerOutput(conv), outputs],
    role: "kernel",
    ...(initial.kernel && { initial: initial.kernel })
  }
  if (bias === undefined) return [kernel]
  const fanIn = rows * columns * inputsPerOutput(conv)
  const shift = { name: `${name}.bias`, shape: [outputs], role: "bias", fanIn } as const
  return [kernel, { ...shift, ...(initial.bias && { initial: initial.bias }) }]
}

/** Rows and columns that come out: floor((extent + 2 zeros - reach) / stride) + 1. */
export const convExtents = (
  conv: Conv,
  height: number,
  width: number
): readonly [rows: number, columns: number] => {
  const [rows, columns] = axes(conv)
  return [extentAlong(rows, height), extentAlong(columns, width)]
}

const extentAlong = ({ reach, stride, zeros }: Axis, extent: number): number =>
  Math.floor((extent + 2 * zeros - reach) / stride) + 1

/** Multiply-accumulates for one image of `height` x `width` input pixels; products with padding count. */
export const convMacs = (conv: Conv, height: number, width: number): number => {
  const [rows, columns] = kernelSize(conv)
  const [rowsOut, columnsOut] = convExtents(conv, height, width)
  return rows * columns * inputsPerOutput(conv) * conv.outputs * rowsOut * columnsOut
}

/** `[N, H, W, inputs]` → `[N, H', W', outputs]`, H' and W' = {@link convExtents}. */
export const conv2d = (weights: WeightTensors, conv: Conv, x: tf.Tensor4D): tf.Tensor4D => {
  const y = convolved(weights, conv, x)
  return conv.bias === undefined ? y : tf.add(y, weightOf(weights, `${conv.name}.bias`))
}

const convolved = (weights: WeightTensors, conv: Conv, x: tf.Tensor4D): tf.Tensor4D => {
  const [, height, width] = x.shape
  const [alongRows, alongColumns] = axes(conv)
  const rows = zerosAround(alongRows, height)
  const columns = zerosAround(alongColumns, width)
  if (isNone(rows) && isNone(columns)) return padded(weights, conv, x, "valid")
  // "same" where it means the same: every backend is at its best there.
  if (isSame(alongRows, rows, height) && isSame(alongColumns, columns, width)) {
    return padded(weights, conv, x, "same")
  }
  return padded(weights, conv, x, [[0, 0], [...rows], [...columns], [0, 0]])
}

const padded = (
  weights: WeightTensors,
  conv: Conv,
  x: tf.Tensor4D,
  padding: "valid" | "same" | tf.backend_util.ExplicitPadding
): tf.Tensor4D => {
  const kernel = weightOf(weights, `${conv.name}.weight`) as tf.Tensor4D
  if (!conv.depthwise) return tf.conv2d(x, kernel, conv.stride, padding, "NHWC", conv.dilation)
  // The same numbers in the same order: TensorFlow counts a depthwise kernel's channels as its inputs.
  const [rows, columns, , channels] = kernel.shape
  const perChannel = tf.reshape(kernel, [rows, columns, channels, 1]) as tf.Tensor4D
  return tf.depthwiseConv2d(x, perChannel, conv.stride, padding, "NHWC", conv.dilation)
}

type Zeros = readonly [before: number, after: number]

/** The zeros that windows really touch: a last row of padding no window reaches is left out. */
const zerosAround = (along: Axis, extent: number): Zeros => {
  const reached = (extentAlong(along, extent) - 1) * along.stride + along.reach
  return [along.zeros, Math.max(0, reached - along.zeros - extent)]
}

const isNone = ([before, after]: Zeros): boolean => before === 0 && after === 0

const isSame = (along: Axis, [before, after]: Zeros, extent: number): boolean => {
  const extentOut = Math.ceil(extent / along.stride)
  const total = Math.max(0, (extentOut - 1) * along.stride + along.reach - extent)
  return (
    extentOut === extentAlong(along, extent) &&
    before === Math.floor(total / 2) &&
    after === Math.ceil(total / 2)
  )
}
