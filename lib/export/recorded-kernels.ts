/** The kernels of tfjs that can be recorded, which are those that classifiers run. */
import { tf } from "../tensor/tf.ts"
import { ExportUnsupported, isConstant, type Windows } from "./InferenceGraph.ts"
import type { RecordingBackend } from "./RecordingBackend.ts"

type Info = tf.TensorInfo
type Recorded<I, A> = (backend: RecordingBackend, inputs: I, attrs: A) => Info

export interface RecordedKernel {
  readonly name: string
  readonly record: Recorded<never, never>
}

const kernel = <I, A = unknown>(name: string, record: Recorded<I, A>): RecordedKernel => ({ name, record })

interface Unary {
  readonly x: Info
}

interface Binary {
  readonly a: Info
  readonly b: Info
}

const refuse = (operation: string, reason: string): ExportUnsupported =>
  new ExportUnsupported({ operation, reason })

interface WindowAttrs {
  readonly strides: number | [number, number]
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding
  readonly dimRoundingMode?: "floor" | "round" | "ceil"
}

interface ConvAttrs extends WindowAttrs {
  readonly dilations?: number | [number, number]
  readonly dataFormat?: "NHWC" | "NCHW"
}

type Shape4 = [number, number, number, number]

/** What the padding comes to in cells: a last row that no window reaches is left out. */
const windowsOf = (info: tf.backend_util.Conv2DInfo): Windows => {
  const { padInfo, strideHeight, strideWidth } = info
  const after = (out: number, stride: number, size: number, length: number, before: number) =>
    Math.max(0, (out - 1) * stride + size - length - before)
  return {
    size: [info.filterHeight, info.filterWidth],
    strides: [strideHeight, strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    margins: {
      top: padInfo.top,
      bottom: after(info.outHeight, strideHeight, info.effectiveFilterHeight, info.inHeight, padInfo.top),
      left: padInfo.left,
      right: after(info.outWidth, strideWidth, info.effectiveFilterWidth, info.inWidth, padInfo.left)
    }
  }
}

const convolution = (name: string, depthwise: boolean) =>
  kernel<{ x: Info; filter: Info }, ConvAttrs>(name, (backend, { filter, x }, attrs) => {
    const { dataFormat = "NHWC", dilations = 1, dimRoundingMode, pad, strides } = attrs
    if (dataFormat !== "NHWC") throw refuse(name, `of ${dataFormat} cannot be recorded`)
    const info = tf.backend_util.computeConv2DInfo(
      x.shape as Shape4,
      filter.shape as Shape4,
      strides,
      dilations,
      pad,
      dimRoundingMode,
      depthwise
    )
    if (!depthwise && filter.shape[2] !== x.shape[3]) throw refuse(name, "in groups cannot be recorded")
    return backend.record({ kind: "Convolution", depthwise, ...windowsOf(info) }, [x, filter], info.outShape)
  })

const pool = (name: string, kind: "MaxPool" | "AveragePool") =>
  kernel<Unary, WindowAttrs & { filterSize: number | [number, number] }>(name, (backend, { x }, attrs) => {
    const { dimRoundingMode, filterSize, pad, strides } = attrs
    const shape = x.shape as Shape4
    const info = tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode)
    return backend.record({ kind, ...windowsOf(info) }, [x], info.outShape)
  })

const normalization = kernel<
  { [K in "x" | "mean" | "variance" | "offset" | "scale"]?: Info },
  { varianceEpsilon: number }
>("FusedBatchNorm", (backend, { mean, offset, scale, variance, x }, { varianceEpsilon }) => {
  const inputs = [x, mean, variance, offset, scale].filter((input) => input !== undefined)
  const given = inputs.slice(1).map((input) => backend.nodeOf(input))
  const [shape] = inputs.map((input) => input.shape)
  const channels = shape?.at(-1)
  if (
    given.length < 4 ||
    !given.every((node) => isConstant(node) && node.shape.join() === String(channels))
  ) {
    throw refuse("FusedBatchNorm", "can be recorded with four constants for each channel")
  }
  return backend.record({ kind: "Normalization", epsilon: varianceEpsilon }, inputs, shape!)
})

/** Operations of one input that keep its shape. */
const elementwise = (name: string, kind: "Relu" | "Relu6") =>
  kernel<Unary>(name, (backend, { x }) => backend.record({ kind }, [x], x.shape))

const binary = (name: string, kind: "Add" | "Multiply") =>
  kernel<Binary>(name, (backend, { a, b }) =>
    backend.record({ kind }, [a, b], tf.backend_util.assertAndGetBroadcastShape(a.shape, b.shape))
  )

const identity = kernel<Unary>("Identity", (backend, { x }) => backend.share(x))

const cast = kernel<Unary, { dtype: tf.DataType }>("Cast", (backend, { x }, { dtype }) => {
  if (dtype !== "float32") throw refuse("Cast", `to ${dtype} cannot be recorded`)
  return backend.share(x)
})

const softmax = kernel<{ logits: Info }, { dim: number }>("Softmax", (backend, { logits }, { dim }) => {
  const axis = dim < 0 ? dim + logits.shape.length : dim
  if (axis !== logits.shape.length - 1) throw refuse("Softmax", "can be recorded over the last axis alone")
  return backend.record({ kind: "Softmax" }, [logits], logits.shape)
})

const fill = kernel<object, { shape: Array<number>; value: number }>("Fill", (backend, _, { shape, value }) =>
  backend.constant(new Float32Array(tf.util.sizeFromShape(shape)).fill(value), shape)
)

const reshape = kernel<Unary, { shape: Array<number> }>("Reshape", (backend, { x }, { shape }) => {
  const size = tf.util.sizeFromShape(x.shape)
  const extents = tf.util.inferFromImplicitShape(shape, size)
  const { name, operation } = backend.nodeOf(x)
  if (extents.join() === x.shape.join()) return backend.share(x)
  return operation.kind === "Constant"
    ? backend.constant(operation.values, extents, name)
    : backend.record({ kind: "Reshape" }, [x], extents)
})

const pad = kernel<Unary, { paddings: ReadonlyArray<[number, number]>; constantValue: number }>(
  "PadV2",
  (backend, { x }, { constantValue, paddings }) => {
    const shape = x.shape.map((extent, axis) => extent + paddings[axis]![0] + paddings[axis]![1])
    return backend.record({ kind: "Pad", amounts: paddings, value: constantValue }, [x], shape)
  }
)

const concat = kernel<ReadonlyArray<Info>, { axis: number }>("Concat", (backend, tensors, { axis }) => {
  const inputs = Object.values(tensors)
  const shapes = inputs.map(({ shape }) => shape)
  const positive = axis < 0 ? axis + shapes[0]!.length : axis
  const shape = tf.backend_util.computeOutShape(shapes, positive)
  return backend.record({ kind: "Concat", axis: positive }, inputs, shape)
})

const mean = kernel<Unary, { axis: number | Array<number>; keepDims: boolean }>(
  "Mean",
  (backend, { x }, { axis, keepDims }) => {
    const axes = tf.util.parseAxisParam(axis, x.shape)
    const kept = x.shape.map((extent, at) => (axes.includes(at) ? 1 : extent))
    const shape = keepDims ? kept : x.shape.filter((_, at) => !axes.includes(at))
    return backend.record({ kind: "Mean", axes, keepDims }, [x], shape)
  }
)

const slice = kernel<Unary, { begin: number | Array<number>; size: number | Array<number> }>(
  "Slice",
  (backend, { x }, { begin, size }) => {
    const [from, extents] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size)
    return backend.record({ kind: "Slice", begin: from! }, [x], extents!)
  }
)

const matMul = kernel<Binary, { transposeA: boolean; transposeB: boolean }>(
  "BatchMatMul",
  (backend, { a, b }, { transposeA, transposeB }) => {
    if (transposeA || transposeB || a.shape.length !== 2 || b.shape.length !== 2) {
      throw refuse("matMul", "can be recorded of two matrices as they stand")
    }
    return backend.record({ kind: "MatMul" }, [a, b], [a.shape[0]!, b.shape[1]!])
  }
)

/** Operations that are ours alone are absent: they compose themselves of these then. */
export const recordedKernels: ReadonlyArray<RecordedKernel> = [
  convolution("Conv2D", false),
  convolution("DepthwiseConv2dNative", true),
  pool("MaxPool", "MaxPool"),
  pool("AvgPool", "AveragePool"),
  normalization,
  elementwise("Relu", "Relu"),
  elementwise("Relu6", "Relu6"),
  binary("Add", "Add"),
  binary("Multiply", "Multiply"),
  identity,
  cast,
  softmax,
  fill,
  reshape,
  pad,
  concat,
  mean,
  slice,
  matMul
]
