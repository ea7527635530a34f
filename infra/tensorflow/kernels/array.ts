/** Operations that move elements about without arithmetic. */
import { tf } from "../../../lib/tensor/tf.ts"
import { attribute } from "../attributes.ts"
import { light } from "../autocast.ts"
import { DataType } from "../capi.ts"
import type { TensorInfo } from "../GraphBackend.ts"
import { sizeOf, valuesOf } from "../tensors.ts"
import { type Dtype, type Kernel, kernel, type Unary } from "./Kernel.ts"

type List = { readonly [index: string]: TensorInfo }

const int32 = attribute.type(DataType.int32)

const identity = kernel<Unary>("Identity", (backend, { x }) => backend.share(x))

const reshape = kernel<Unary, { shape: Array<number> }>("Reshape", (backend, { x }, { shape }) => {
  const { emit, input } = light(backend, x)
  const full = tf.util.inferFromImplicitShape(shape, sizeOf(x.shape))
  return emit("Reshape", [input(x), backend.graph.ints(full)], { Tshape: int32 })
})

const expandDims = kernel<{ input: TensorInfo }, { dim: number }>(
  "ExpandDims",
  (backend, { input: x }, { dim }) => {
    const { emit, input } = light(backend, x)
    return emit("ExpandDims", [input(x), backend.graph.intScalar(dim)], { Tdim: int32 })
  }
)

const transpose = kernel<Unary, { perm: Array<number> }>("Transpose", (backend, { x }, { perm }) => {
  const { emit, input } = light(backend, x)
  return emit("Transpose", [input(x), backend.graph.ints(perm)], { Tperm: int32 })
})

const pad = kernel<Unary, { paddings: Array<[number, number]>; constantValue: number }>(
  "PadV2",
  (backend, { x }, { paddings, constantValue }) => {
    const { graph } = backend
    const { emit, input } = light(backend, x)
    const amounts = graph.constant(Int32Array.from(paddings.flat()), [paddings.length, 2], "int32")
    const value = backend.literal([constantValue], [], x.dtype as Dtype)
    return emit("PadV2", [input(x), amounts, input(value)], { Tpaddings: int32 })
  }
)

const mirrorPad = kernel<Unary, { paddings: Array<[number, number]>; mode: "reflect" | "symmetric" }>(
  "MirrorPad",
  (backend, { x }, { paddings, mode }) => {
    const amounts = backend.graph.constant(Int32Array.from(paddings.flat()), [paddings.length, 2], "int32")
    return backend.emit("MirrorPad", [backend.output(x), amounts], {
      ...backend.typeOf(x),
      Tpaddings: int32,
      mode: attribute.string(mode.toUpperCase())
    })
  }
)

const concat = kernel<List, { axis: number }>("Concat", (backend, inputs, { axis }) => {
  const tensors = Object.values(inputs).filter(({ shape }) => sizeOf(shape) > 0)
  const first = tensors[0]
  if (first === undefined) throw new Error("nothing but empty tensors to concatenate")
  if (tensors.length === 1) return backend.share(first)
  const { emit, input } = light(backend, ...tensors)
  const [along = 0] = tf.util.parseAxisParam(axis, first.shape)
  return emit("ConcatV2", [tensors.map(input), backend.graph.intScalar(along)], {
    N: attribute.int(tensors.length),
    Tidx: int32
  })
})

const pack = kernel<List, { axis: number }>("Pack", (backend, inputs, { axis }) => {
  const tensors = Object.values(inputs)
  const { emit, input } = light(backend, ...tensors)
  return emit("Pack", [tensors.map(input)], { N: attribute.int(tensors.length), axis: attribute.int(axis) })
})

const unpack = kernel<{ value: TensorInfo }, { axis: number }>("Unpack", (backend, { value }, { axis }) => {
  const along = axis < 0 ? axis + value.shape.length : axis
  const count = value.shape[along] ?? 0
  const attributes = { ...backend.typeOf(value), num: attribute.int(count), axis: attribute.int(along) }
  return backend.emitMany("Unpack", [backend.output(value)], attributes, count)
})

const slice = kernel<Unary, { begin: number | Array<number>; size: number | Array<number> }>(
  "Slice",
  (backend, { x }, { begin, size }) => {
    const { emit, input } = light(backend, x)
    const [from, lengths] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size)
    const { graph } = backend
    return emit("Slice", [input(x), graph.ints(from ?? []), graph.ints(lengths ?? [])], { Index: int32 })
  }
)

interface StridedSliceAttrs {
  readonly begin: Array<number>
  readonly end: Array<number>
  readonly strides: Array<number>
  readonly beginMask: number
  readonly endMask: number
  readonly ellipsisMask: number
  readonly newAxisMask: number
  readonly shrinkAxisMask: number
}

const stridedSlice = kernel<Unary, StridedSliceAttrs>("StridedSlice", (backend, { x }, attrs) => {
  const bounds = [attrs.begin, attrs.end, attrs.strides].map((values) => backend.graph.ints(values))
  return backend.emit("StridedSlice", [backend.output(x), ...bounds], {
    ...backend.typeOf(x),
    Index: int32,
    begin_mask: attribute.int(attrs.beginMask),
    end_mask: attribute.int(attrs.endMask),
    ellipsis_mask: attribute.int(attrs.ellipsisMask),
    new_axis_mask: attribute.int(attrs.newAxisMask),
    shrink_axis_mask: attribute.int(attrs.shrinkAxisMask)
  })
})

const split = kernel<Unary, { numOrSizeSplits: number | Array<number>; axis: number }>(
  "SplitV",
  (backend, { x }, { numOrSizeSplits, axis }) => {
    const { type, input } = light(backend, x)
    const [along = 0] = tf.util.parseAxisParam(axis, x.shape)
    const sizes = tf.backend_util.prepareSplitSize(x, numOrSizeSplits, along)
    const { graph } = backend
    return backend.emitMany(
      "SplitV",
      [input(x), graph.ints(sizes), graph.intScalar(along)],
      { T: attribute.type(type), num_split: attribute.int(sizes.length), Tlen: int32 },
      sizes.length
    )
  }
)

const tile = kernel<Unary, { reps: Array<number> }>("Tile", (backend, { x }, { reps }) => {
  const { emit, input } = light(backend, x)
  return emit("Tile", [input(x), backend.graph.ints(reps)], { Tmultiples: int32 })
})

const reverse = kernel<Unary, { dims: number | Array<number> }>("Reverse", (backend, { x }, { dims }) =>
  backend.emit("ReverseV2", [backend.output(x), backend.graph.ints(tf.util.parseAxisParam(dims, x.shape))], {
    ...backend.typeOf(x),
    Tidx: int32
  })
)

const fill = kernel<unknown, { shape: Array<number>; value: number; dtype?: Dtype }>(
  "Fill",
  (backend, _, { shape, value, dtype = "float32" }) =>
    backend.literal(valuesOf(dtype, { length: sizeOf(shape) }).fill(value), shape, dtype)
)

const range = kernel<unknown, { start: number; stop: number; step: number; dtype?: Dtype }>(
  "Range",
  (backend, _, { start, stop, step, dtype = "float32" }) => {
    const length = Math.max(0, Math.ceil((stop - start) / step))
    const values = Array.from({ length }, (_, index) => start + index * step)
    return backend.literal(values, [length], dtype)
  }
)

const linearSpace = kernel<unknown, { start: number; stop: number; num: number }>(
  "LinSpace",
  (backend, _, { start, stop, num }) => {
    const step = num > 1 ? (stop - start) / (num - 1) : 0
    return backend.literal(
      Array.from({ length: num }, (_, index) => start + index * step),
      [num],
      "float32"
    )
  }
)

const depthToSpace = kernel<Unary, { blockSize: number; dataFormat: string }>(
  "DepthToSpace",
  (backend, { x }, { blockSize, dataFormat }) =>
    backend.emit("DepthToSpace", [backend.output(x)], {
      ...backend.typeOf(x),
      block_size: attribute.int(blockSize),
      data_format: attribute.string(dataFormat)
    })
)

interface BatchAttrs {
  readonly blockShape: Array<number>
  /** Margins to add before, or to take away after. */
  readonly paddings?: Array<[number, number]>
  readonly crops?: Array<[number, number]>
}

const batches = (
  [
    ["SpaceToBatchND", "Tpaddings"],
    ["BatchToSpaceND", "Tcrops"]
  ] as const
).map(([name, margins]) =>
  kernel<Unary, BatchAttrs>(name, (backend, { x }, { blockShape, crops, paddings }) => {
    const { graph } = backend
    const amounts = paddings ?? crops ?? []
    return backend.emit(
      name,
      [
        backend.output(x),
        graph.ints(blockShape),
        graph.constant(Int32Array.from(amounts.flat()), [amounts.length, 2], "int32")
      ],
      { ...backend.typeOf(x), Tblock_shape: int32, [margins]: int32 }
    )
  })
)

export const array: ReadonlyArray<Kernel> = [
  identity,
  reshape,
  expandDims,
  transpose,
  pad,
  mirrorPad,
  concat,
  pack,
  unpack,
  slice,
  stridedSlice,
  split,
  tile,
  reverse,
  fill,
  range,
  linearSpace,
  depthToSpace,
  ...batches
]
