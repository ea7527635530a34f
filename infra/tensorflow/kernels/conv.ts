/** Convolutions `[N, H, W, C]` and their gradients. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Attributes, attribute } from "../attributes.ts"
import { type Arithmetic, convolving, exact, heavy } from "../autocast.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import { isBeyond, rewritten } from "./dilated.ts"
import { type Kernel, kernel } from "./Kernel.ts"
import { padded, withoutMargins } from "./margins.ts"
import { DEPTHWISE, emitOwn, type OwnOperation } from "./windows.ts"

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

/** Margins that have no name are nodes of their own (see `margins.ts`). */
const convAttributes = (info: tf.backend_util.Conv2DInfo): Attributes => ({
  strides: attribute.ints([1, info.strideHeight, info.strideWidth, 1]),
  dilations: attribute.ints([1, info.dilationHeight, info.dilationWidth, 1]),
  data_format: attribute.string("NHWC"),
  padding: attribute.string(info.padInfo.type === "SAME" ? "SAME" : "VALID")
})

/** The release that we fetch. */
const MINOR_FETCHED = 21

/**
 * The arithmetic of TensorFlow's own convolution. Older releases (2.9.1, of tfjs-node) have no gradients of
 * depthwise ones in bfloat16.
 */
const stock = (
  backend: GraphBackend,
  info: tf.backend_util.Conv2DInfo,
  depthwise: boolean,
  ...tensors: ReadonlyArray<TensorInfo>
): Arithmetic => {
  const [major = 0, minor = 0] = backend.graph.library.version.split(".").map(Number)
  const isOlder = major === 2 && minor < MINOR_FETCHED
  return isOlder && depthwise ? exact(backend, ...tensors) : convolving(backend, info, ...tensors)
}

/** tfjs's name of the kernel, which is TensorFlow's of its operation too, and ours in its place. */
interface Pass extends OwnOperation {
  readonly name: string
}

/** Forward pass and both gradients of one kind of convolution. */
interface Passes {
  readonly depthwise: boolean
  readonly forward: Pass
  readonly inputGradient: Pass
  readonly filterGradient: Pass
}

const forward = ({ depthwise, forward: pass }: Passes): Kernel =>
  kernel<{ x: TensorInfo; filter: TensorInfo }, ConvAttrs>(pass.name, (backend, { x, filter }, attrs) => {
    const info = convInfo(x.shape, filter.shape, attrs, depthwise)
    const operands = { activations: [x], filters: [filter], shape: info.outShape }
    const own = emitOwn(backend, heavy(backend, x), info, pass, operands)
    if (own !== undefined) return own
    if (isBeyond(attrs, depthwise)) return rewritten(pass.name, { x, filter }, attrs, depthwise)
    const arithmetic = stock(backend, info, depthwise, x, filter)
    const inputs = [padded(backend, arithmetic, info, x), arithmetic.input(filter)]
    return arithmetic.emit(pass.name, inputs, convAttributes(info))
  })

const inputGradient = ({ depthwise, inputGradient: pass }: Passes): Kernel =>
  kernel<{ dy: TensorInfo; filter: TensorInfo }, ConvAttrs>(pass.name, (backend, { dy, filter }, attrs) => {
    const info = convInfo(attrs.inputShape, filter.shape, attrs, depthwise)
    const operands = { activations: [dy], filters: [filter], shape: attrs.inputShape }
    const own = emitOwn(backend, heavy(backend, dy), info, pass, operands)
    if (own !== undefined) return own
    if (isBeyond(attrs, depthwise)) return rewritten(pass.name, { dy, filter }, attrs, depthwise)
    const arithmetic = stock(backend, info, depthwise, dy, filter)
    const { emit, input } = arithmetic
    return withoutMargins(backend, arithmetic, info, (shape) => {
      const inputs = [backend.graph.ints(shape), input(filter), input(dy)]
      return emit(pass.name, inputs, convAttributes(info))
    })
  })

const filterGradient = ({ depthwise, filterGradient: pass }: Passes): Kernel =>
  kernel<{ x: TensorInfo; dy: TensorInfo }, ConvAttrs>(pass.name, (backend, { x, dy }, attrs) => {
    const info = convInfo(x.shape, attrs.filterShape, attrs, depthwise)
    const operands = { activations: [x, dy], filters: [], shape: attrs.filterShape }
    const own = emitOwn(backend, heavy(backend, x, dy), info, pass, operands)
    if (own !== undefined) return own
    if (isBeyond(attrs, depthwise)) return rewritten(pass.name, { x, dy }, attrs, depthwise)
    const arithmetic = stock(backend, info, depthwise, x, dy)
    const sizes = backend.graph.ints(attrs.filterShape)
    const inputs = [padded(backend, arithmetic, info, x), sizes, arithmetic.input(dy)]
    return arithmetic.emit(pass.name, inputs, convAttributes(info))
  })

const convolutions: ReadonlyArray<Passes> = [
  {
    depthwise: false,
    forward: {
      name: "Conv2D",
      kernel: "convForward",
      operation: "Conv2D",
      keepsFilter: true,
      norm: "residual"
    },
    inputGradient: {
      name: "Conv2DBackpropInput",
      kernel: "convInputGradient",
      operation: "Conv2DInputGradient"
    },
    filterGradient: {
      name: "Conv2DBackpropFilter",
      kernel: "convFilterGradient",
      operation: "Conv2DFilterGradient"
    }
  },
  {
    depthwise: true,
    forward: {
      name: "DepthwiseConv2dNative",
      kernel: "depthwise",
      operation: DEPTHWISE,
      norm: "plain"
    },
    inputGradient: {
      name: "DepthwiseConv2dNativeBackpropInput",
      kernel: "depthwise",
      operation: "DepthwiseConv2DInputGradient"
    },
    filterGradient: {
      name: "DepthwiseConv2dNativeBackpropFilter",
      kernel: "depthwise",
      operation: "DepthwiseConv2DFilterGradient"
    }
  }
]

export const conv: ReadonlyArray<Kernel> = convolutions.flatMap((passes) => [
  forward(passes),
  inputGradient(passes),
  filterGradient(passes)
])
