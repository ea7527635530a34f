/** Convolutions `[N, H, W, C]` and their gradients. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Attributes, attribute } from "../attributes.ts"
import { heavy } from "../autocast.ts"
import { type WindowKernel, type WindowShape, windowNumbers } from "../CpuKernels.ts"
import { DataType } from "../capi.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import { type Kernel, kernel } from "./Kernel.ts"

type Shape4 = [number, number, number, number]

interface ConvAttrs {
  readonly strides: number | [number, number]
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding
  readonly dilations?: number | [number, number]
  readonly dataFormat?: "NHWC" | "NCHW"
  readonly dimRoundingMode?: "floor" | "round" | "ceil"
  readonly inputShape: Shape4
  readonly filterShape: Shape4
}

const convInfo = (
  input: ReadonlyArray<number>,
  filter: ReadonlyArray<number>,
  attrs: ConvAttrs,
  depthwise: boolean
): tf.backend_util.Conv2DInfo =>
  tf.backend_util.computeConv2DInfo(
    input as Shape4,
    filter as Shape4,
    attrs.strides,
    attrs.dilations ?? 1,
    attrs.pad,
    attrs.dimRoundingMode,
    depthwise,
    tf.backend_util.convertConv2DDataFormat(attrs.dataFormat ?? "NHWC")
  )

const convAttributes = (info: tf.backend_util.Conv2DInfo): Attributes => {
  const { top, bottom, left, right, type } = info.padInfo
  const named = type === "SAME" || type === "VALID"
  return {
    strides: attribute.ints([1, info.strideHeight, info.strideWidth, 1]),
    dilations: attribute.ints([1, info.dilationHeight, info.dilationWidth, 1]),
    data_format: attribute.string("NHWC"),
    padding: attribute.string(named ? type : "EXPLICIT"),
    ...(named ? {} : { explicit_paddings: attribute.ints([0, 0, top, bottom, left, right, 0, 0]) })
  }
}

/** What our kernels are told of a convolution. */
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

interface ConvNames {
  /** tfjs's name of the forward kernel and TensorFlow's of the operation. */
  readonly forward: string
  readonly inputGradient: string
  readonly filterGradient: string
}

interface OwnKernel {
  readonly kernel: WindowKernel
  /** The operation's name after `Distillery`. */
  readonly operation: string
  /** Its inputs: activations in the type of the trace, filters in float32, which it rounds itself. */
  readonly activations: ReadonlyArray<TensorInfo>
  readonly filters: ReadonlyArray<TensorInfo>
  readonly shape: ReadonlyArray<number>
}

/** Records an operation of ours if it takes the shape. */
const emitOwn = (
  backend: GraphBackend,
  info: tf.backend_util.Conv2DInfo,
  { activations, filters, kernel: question, operation, shape }: OwnKernel
): TensorInfo | undefined => {
  const { type, input } = heavy(backend, ...activations)
  const window = windowOf(info)
  if (backend.cpu?.supports(question, window, type === DataType.bfloat16) !== true) return undefined
  const inputs = [...activations.map(input), ...filters.map((filter) => backend.output(filter))]
  const attributes = { T: attribute.type(type), window: attribute.ints(windowNumbers(window)) }
  return backend.emitOwn(operation, inputs, attributes, [shape])[0]
}

interface ConvNames {
  /** tfjs's name of the forward kernel and TensorFlow's of the operation. */
  readonly forward: string
  readonly inputGradient: string
  readonly filterGradient: string
}

/** Forward pass and both gradients of one kind of convolution. */
const convolution = (names: ConvNames, depthwise: boolean): ReadonlyArray<Kernel> => [
  kernel<{ x: TensorInfo; filter: TensorInfo }, ConvAttrs>(names.forward, (backend, { x, filter }, attrs) => {
    const info = convInfo(x.shape, filter.shape, attrs, depthwise)
    const own = { kernel: "convForward", operation: "Conv2D", activations: [x], filters: [filter] } as const
    const done = depthwise ? undefined : emitOwn(backend, info, { ...own, shape: info.outShape })
    if (done !== undefined) return done
    const { emit, input } = heavy(backend, x, filter)
    return emit(names.forward, [input(x), input(filter)], convAttributes(info))
  }),
  kernel<{ dy: TensorInfo; filter: TensorInfo }, ConvAttrs>(
    names.inputGradient,
    (backend, { dy, filter }, attrs) => {
      const info = convInfo(attrs.inputShape, filter.shape, attrs, depthwise)
      const own = { kernel: "convInputGradient", operation: "Conv2DInputGradient" } as const
      const tensors = { activations: [dy], filters: [filter], shape: attrs.inputShape }
      const done = depthwise ? undefined : emitOwn(backend, info, { ...own, ...tensors })
      if (done !== undefined) return done
      const { emit, input } = heavy(backend, dy, filter)
      const inputs = [backend.graph.ints(attrs.inputShape), input(filter), input(dy)]
      return emit(names.inputGradient, inputs, convAttributes(info))
    }
  ),
  kernel<{ x: TensorInfo; dy: TensorInfo }, ConvAttrs>(names.filterGradient, (backend, { x, dy }, attrs) => {
    const info = convInfo(x.shape, attrs.filterShape, attrs, depthwise)
    const own = { kernel: "convFilterGradient", operation: "Conv2DFilterGradient" } as const
    const tensors = { activations: [x, dy], filters: [], shape: attrs.filterShape }
    const done = depthwise ? undefined : emitOwn(backend, info, { ...own, ...tensors })
    if (done !== undefined) return done
    const { emit, input } = heavy(backend, x, dy)
    const inputs = [input(x), backend.graph.ints(attrs.filterShape), input(dy)]
    return emit(names.filterGradient, inputs, convAttributes(info))
  })
]

export const conv: ReadonlyArray<Kernel> = [
  ...convolution(
    {
      forward: "Conv2D",
      inputGradient: "Conv2DBackpropInput",
      filterGradient: "Conv2DBackpropFilter"
    },
    false
  ),
  ...convolution(
    {
      forward: "DepthwiseConv2dNative",
      inputGradient: "DepthwiseConv2dNativeBackpropInput",
      filterGradient: "DepthwiseConv2dNativeBackpropFilter"
    },
    true
  )
]
