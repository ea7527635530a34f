/** Convolutions and poolings by kernels of our own, where they take the shape. */
import type { tf } from "../../../lib/tensor/tf.ts"
import { attribute } from "../attributes.ts"
import type { Arithmetic } from "../autocast.ts"
import { type WindowKernel, type WindowShape, windowNumbers } from "../CpuKernels.ts"
import { DataType } from "../capi.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import type { DepthwiseHalf, OwnConvolution } from "../OwnConvolution.ts"

/** What our kernels are told of a convolution or a pooling. */
export const windowOf = (info: tf.backend_util.Conv2DInfo): WindowShape => ({
  batch: info.batchSize,
  height: info.inHeight,
  width: info.inWidth,
  inputs: info.inChannels,
  outHeight: info.outHeight,
  outWidth: info.outWidth,
  outputs: info.outChannels,
  filterHeight: info.filterHeight,
  filterWidth: info.filterWidth,
  strideHeight: info.strideHeight,
  strideWidth: info.strideWidth,
  padTop: info.padInfo.top,
  padLeft: info.padInfo.left,
  dilationHeight: info.dilationHeight,
  dilationWidth: info.dilationWidth
})

/** What says whether the shape is taken, and the operation's name after `Distillery`. */
export interface OwnOperation {
  readonly kernel: WindowKernel
  readonly operation: string
  /** Whether the operation is told that its filter is a variable, which may stand still from run to run. */
  readonly keepsFilter?: true
  /** Whether there is an operation `…Norm` that normalises as well, and one `…NormResidual`. */
  readonly norm?: "plain" | "residual"
}

export interface OwnOperands {
  /** In the type of the arithmetic. */
  readonly activations: ReadonlyArray<TensorInfo>
  /** In float32; convolutions round them themselves. */
  readonly filters: ReadonlyArray<TensorInfo>
  /** Of the result. */
  readonly shape: ReadonlyArray<number>
}

/** The operation of a depthwise convolution. */
export const DEPTHWISE = "DepthwiseConv2D"

/** Records an operation of ours if it takes the shape. */
export const emitOwn = (
  backend: GraphBackend,
  { input, type }: Arithmetic,
  info: tf.backend_util.Conv2DInfo,
  { keepsFilter, kernel, norm, operation }: OwnOperation,
  { activations, filters, shape }: OwnOperands
): TensorInfo | undefined => {
  const window = windowOf(info)
  if (backend.cpu?.supports(kernel, window, type === DataType.bfloat16) !== true) return undefined
  const inputs = [...activations.map(input), ...filters.map((filter) => backend.output(filter))]
  const isVariable = filters.every((filter) => backend.stored(filter).cell !== undefined)
  const attributes = {
    T: attribute.type(type),
    window: attribute.ints(windowNumbers(window)),
    ...(keepsFilter && { variable: attribute.float(isVariable ? 1 : 0) })
  }
  const result = backend.emitOwn(operation, inputs, attributes, [shape])[0] as TensorInfo
  if (norm !== undefined) {
    const alone = { operation, inputs, attributes, type, window, takesResidual: norm === "residual" }
    const half = activations.map((tensor) => backend.stored(tensor).depthwiseHalf)[0]
    backend.stored(result).convolution = (half && separable(backend, half, alone)) ?? alone
  }
  return result
}

const isPointwise = (window: WindowShape): boolean => {
  const { filterHeight, filterWidth, outHeight, outWidth, strideHeight, strideWidth } = window
  const isSingle = filterHeight * filterWidth * strideHeight * strideWidth === 1
  return isSingle && outHeight === window.height && outWidth === window.width
}

/** Both halves of a separable convolution as one operation, which then lacks but the last normalisation. */
const separable = (
  backend: GraphBackend,
  half: DepthwiseHalf,
  pointwise: OwnConvolution
): OwnConvolution | undefined => {
  const { attributes, inputs, type } = pointwise
  const window = { ...half.window, outputs: pointwise.window.outputs }
  if (half.type !== type || !isPointwise(pointwise.window)) return undefined
  if (backend.cpu?.supports("separable", window, type === DataType.bfloat16) !== true) return undefined
  return {
    operation: "SeparableConv2D",
    inputs: [...half.inputs, ...inputs.slice(1)],
    attributes: {
      ...attributes,
      window: attribute.ints(windowNumbers(window)),
      epsilon_between: attribute.float(half.epsilon),
      activation_between: attribute.float(half.activation)
    },
    type,
    window,
    takesResidual: true
  }
}
