/** Pooling `[N, H, W, C]` and its gradients. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Attributes, attribute } from "../attributes.ts"
import { light } from "../autocast.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import { type Kernel, kernel, type Unary } from "./Kernel.ts"
import { paddedAverage, paddedAverageGradient } from "./padded-average.ts"
import { emitOwn } from "./windows.ts"

interface PoolAttrs {
  readonly filterSize: number | [number, number]
  readonly strides: number | [number, number]
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding
  readonly dimRoundingMode?: "floor" | "round" | "ceil"
}

type Info = tf.backend_util.Conv2DInfo

const poolInfo = (x: TensorInfo, attrs: PoolAttrs): Info => {
  const { filterSize, strides, pad, dimRoundingMode } = attrs
  const shape = x.shape as [number, number, number, number]
  return tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode)
}

const isNamed = ({ padInfo }: Info): boolean => padInfo.type === "SAME" || padInfo.type === "VALID"

const poolAttributes = (info: Info): Attributes => {
  const { top, bottom, left, right, type } = info.padInfo
  const named = isNamed(info)
  return {
    ksize: attribute.ints([1, info.filterHeight, info.filterWidth, 1]),
    strides: attribute.ints([1, info.strideHeight, info.strideWidth, 1]),
    data_format: attribute.string("NHWC"),
    padding: attribute.string(named ? type : "EXPLICIT"),
    ...(named ? {} : { explicit_paddings: attribute.ints([0, 0, top, bottom, left, right, 0, 0]) })
  }
}

/** Records a pooling of ours if it takes the shape; `x` decides on the precision. */
const emitOwnPool = (
  backend: GraphBackend,
  info: Info,
  operation: string,
  activations: ReadonlyArray<TensorInfo>,
  shape: ReadonlyArray<number>
): TensorInfo | undefined => {
  const arithmetic = light(backend, ...activations.slice(0, 1))
  return emitOwn(
    backend,
    arithmetic,
    info,
    { kernel: "pool", operation },
    { activations, filters: [], shape }
  )
}

interface ForwardNames {
  /** tfjs's name of the kernel, which is TensorFlow's of its operation too. */
  readonly name: string
  readonly operation: string
}

const forward = ({ name, operation }: ForwardNames): Kernel =>
  kernel<Unary, PoolAttrs>(name, (backend, { x }, attrs) => {
    const info = poolInfo(x, attrs)
    const own = emitOwnPool(backend, info, operation, [x], info.outShape)
    if (own !== undefined) return own
    if (name === "AvgPool" && !isNamed(info)) return paddedAverage(x as tf.Tensor4D, info)
    const { emit, input } = light(backend, x)
    return emit(name, [input(x)], poolAttributes(info))
  })

const maxPoolGradient = kernel<{ dy: TensorInfo; input: TensorInfo; output: TensorInfo }, PoolAttrs>(
  "MaxPoolGrad",
  (backend, { dy, input: x, output: y }, attrs) => {
    const info = poolInfo(x, attrs)
    const own = emitOwnPool(backend, info, "MaxPoolGradient", [x, dy], x.shape)
    if (own !== undefined) return own
    const { emit, input } = light(backend, x, y)
    return emit("MaxPoolGrad", [input(x), input(y), input(dy)], poolAttributes(info))
  }
)

const averagePoolGradient = kernel<{ dy: TensorInfo; input: TensorInfo }, PoolAttrs>(
  "AvgPoolGrad",
  (backend, { dy, input: x }, attrs) => {
    const info = poolInfo(x, attrs)
    const own = emitOwnPool(backend, info, "AveragePoolGradient", [dy], x.shape)
    if (own !== undefined) return own
    if (!isNamed(info)) return paddedAverageGradient(dy as tf.Tensor, x as tf.Tensor4D, info)
    const { emit, input } = light(backend, dy)
    return emit("AvgPoolGrad", [backend.graph.ints(x.shape), input(dy)], poolAttributes(info))
  }
)

export const pool: ReadonlyArray<Kernel> = [
  forward({ name: "MaxPool", operation: "MaxPool" }),
  forward({ name: "AvgPool", operation: "AveragePool" }),
  maxPoolGradient,
  averagePoolGradient
]
