/**
 * Operations that fold axes away, and those defined by such folds. All in float32: sums lose too much
 * otherwise.
 */
import { tf } from "../../../lib/tensor/tf.ts"
import { attribute } from "../attributes.ts"
import { DataType } from "../capi.ts"
import type { TensorInfo } from "../GraphBackend.ts"
import { dataTypeOf } from "../tensors.ts"
import { type Kernel, kernel, type Unary } from "./Kernel.ts"

interface ReduceAttrs {
  readonly axis?: number | Array<number>
  /** `Max` names its axes so. */
  readonly reductionIndices?: number | Array<number>
  readonly keepDims?: boolean
}

const axesOf = (x: TensorInfo, { axis, reductionIndices }: ReduceAttrs): Array<number> =>
  tf.util.parseAxisParam(axis ?? reductionIndices ?? x.shape.map((_, index) => index), x.shape)

const index32 = { Tidx: attribute.type(DataType.int32) }

const arithmetic = ["Sum", "Max", "Min", "Prod"].map((name) =>
  kernel<Unary, ReduceAttrs>(name, (backend, { x }, attrs) =>
    backend.emit(name, [backend.output(x), backend.graph.ints(axesOf(x, attrs))], {
      ...backend.typeOf(x),
      ...index32,
      keep_dims: attribute.bool(attrs.keepDims === true)
    })
  )
)

/** tfjs means float32 by the mean of whatever it is. */
const mean = kernel<Unary, ReduceAttrs>("Mean", (backend, { x }, attrs) => {
  const type = dataTypeOf(x.dtype)
  const source = backend.output(x)
  const input = type === DataType.float32 ? source : backend.graph.cast(source, type, DataType.float32)
  return backend.emit("Mean", [input, backend.graph.ints(axesOf(x, attrs))], {
    T: attribute.type(DataType.float32),
    ...index32,
    keep_dims: attribute.bool(attrs.keepDims === true)
  })
})

const logical = ["All", "Any"].map((name) =>
  kernel<Unary, ReduceAttrs>(name, (backend, { x }, attrs) =>
    backend.emit(name, [backend.output(x), backend.graph.ints(axesOf(x, attrs))], {
      ...index32,
      keep_dims: attribute.bool(attrs.keepDims === true)
    })
  )
)

const positions = ["ArgMax", "ArgMin"].map((name) =>
  kernel<Unary, { axis: number }>(name, (backend, { x }, { axis }) =>
    backend.emit(name, [backend.output(x), backend.graph.intScalar(axis)], {
      ...backend.typeOf(x),
      ...index32,
      output_type: attribute.type(DataType.int32)
    })
  )
)

const softmax = kernel<{ logits: TensorInfo }>("Softmax", (backend, { logits }) =>
  backend.emit("Softmax", [backend.output(logits)], backend.typeOf(logits))
)

const cumulative = ["Cumsum", "Cumprod"].map((name) =>
  kernel<Unary, { axis: number; exclusive: boolean; reverse: boolean }>(
    name,
    (backend, { x }, { axis, exclusive, reverse }) =>
      backend.emit(name, [backend.output(x), backend.graph.intScalar(axis)], {
        ...backend.typeOf(x),
        ...index32,
        exclusive: attribute.bool(exclusive),
        reverse: attribute.bool(reverse)
      })
  )
)

const segmentSum = kernel<{ x: TensorInfo; segmentIds: TensorInfo }, { numSegments: number }>(
  "UnsortedSegmentSum",
  (backend, { x, segmentIds }, { numSegments }) =>
    backend.emit(
      "UnsortedSegmentSum",
      [backend.output(x), backend.output(segmentIds), backend.graph.intScalar(numSegments)],
      {
        ...backend.typeOf(x),
        Tindices: attribute.type(DataType.int32),
        Tnumsegments: attribute.type(DataType.int32)
      }
    )
)

const topK = kernel<Unary, { k: number; sorted: boolean }>("TopK", (backend, { x }, { k, sorted }) =>
  backend.emitMany(
    "TopKV2",
    [backend.output(x), backend.graph.intScalar(k)],
    { ...backend.typeOf(x), sorted: attribute.bool(sorted) },
    2
  )
)

export const reduce: ReadonlyArray<Kernel> = [
  ...arithmetic,
  mean,
  ...logical,
  ...positions,
  softmax,
  ...cumulative,
  segmentSum,
  topK
]
