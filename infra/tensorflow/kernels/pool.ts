/** Pooling `[N, H, W, C]` and its gradients. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Attributes, attribute } from "../attributes.ts"
import { light } from "../autocast.ts"
import type { TensorInfo } from "../GraphBackend.ts"
import { TracingError } from "../Trace.ts"
import { type Kernel, kernel, type Unary } from "./Kernel.ts"

interface PoolAttrs {
  readonly filterSize: number | [number, number]
  readonly strides: number | [number, number]
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding
  readonly dimRoundingMode?: "floor" | "round" | "ceil"
}

const poolAttributes = (x: TensorInfo, attrs: PoolAttrs): Attributes => {
  const { filterSize, strides, pad, dimRoundingMode } = attrs
  const shape = x.shape as [number, number, number, number]
  const info = tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode)
  const { type } = info.padInfo
  if (type !== "SAME" && type !== "VALID") {
    throw new TracingError(
      "TensorFlow pools with padding 'same' or 'valid' only; pad the input first (tf.pad)"
    )
  }
  return {
    ksize: attribute.ints([1, info.filterHeight, info.filterWidth, 1]),
    strides: attribute.ints([1, info.strideHeight, info.strideWidth, 1]),
    padding: attribute.string(type),
    data_format: attribute.string("NHWC")
  }
}

const forward = ["MaxPool", "AvgPool"].map((name) =>
  kernel<Unary, PoolAttrs>(name, (backend, { x }, attrs) => {
    const { emit, input } = light(backend, x)
    return emit(name, [input(x)], poolAttributes(x, attrs))
  })
)

const maxPoolGradient = kernel<{ dy: TensorInfo; input: TensorInfo; output: TensorInfo }, PoolAttrs>(
  "MaxPoolGrad",
  (backend, { dy, input: x, output: y }, attrs) => {
    const { emit, input } = light(backend, x, y)
    return emit("MaxPoolGrad", [input(x), input(y), input(dy)], poolAttributes(x, attrs))
  }
)

const averagePoolGradient = kernel<{ dy: TensorInfo; input: TensorInfo }, PoolAttrs>(
  "AvgPoolGrad",
  (backend, { dy, input: x }, attrs) => {
    const { emit, input } = light(backend, dy)
    return emit("AvgPoolGrad", [backend.graph.ints(x.shape), input(dy)], poolAttributes(x, attrs))
  }
)

export const pool: ReadonlyArray<Kernel> = [...forward, maxPoolGradient, averagePoolGradient]
