/** Look-ups and placements by number that the WebAssembly backend has wrong or not at all. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type OwnKernel, type PortableKernel, portableKernel } from "./PortableKernel.ts"

interface OneHotAttrs {
  readonly depth: number
  readonly onValue: number
  readonly offValue: number
  readonly dtype?: "float32" | "int32" | "bool"
}

/** The backend's own writes integers only, whatever was asked for. */
const oneHot = portableKernel<{ indices: tf.Tensor }, OneHotAttrs>(
  "OneHot",
  ({ indices }, { depth, dtype = "float32", offValue, onValue }) => {
    const hot = tf.equal(tf.reshape(indices, [...indices.shape, 1]), tf.range(0, depth, 1, "int32"))
    const marks = tf.cast(hot, "float32")
    const values =
      onValue === 1 && offValue === 0 ? marks : tf.add(tf.mul(marks, onValue - offValue), offValue)
    return tf.cast(values, dtype)
  }
)

interface GatherAttrs {
  readonly axis: number
  readonly batchDims: number
}

/** The backend's own mixes batches up: seen as rows of one long table, they are gathered at once. */
const gather = portableKernel<{ x: tf.Tensor; indices: tf.Tensor }, GatherAttrs>(
  "GatherV2",
  ({ indices, x }, attrs, own) => {
    const { batchDims } = attrs
    if (batchDims === 0) return own({ x, indices }, attrs)
    const [axis = 0] = tf.util.parseAxisParam(attrs.axis, x.shape)
    const product = (shape: Array<number>): number => tf.util.sizeFromShape(shape)
    const batches = product(x.shape.slice(0, batchDims))
    const outer = x.shape.slice(batchDims, axis)
    const length = x.shape[axis]!
    const inner = x.shape.slice(axis + 1)
    const table = tf.reshape(x, [batches * product(outer) * length, product(inner)])
    const first = tf.mul(tf.range(0, batches * product(outer), 1, "int32"), tf.scalar(length, "int32"))
    const places = tf.reshape(indices, [batches, 1, indices.size / batches])
    const rows = tf.add(tf.reshape(first, [batches, product(outer), 1]), places)
    const found = tf.gather(table, tf.reshape(rows, [-1]) as tf.Tensor1D)
    return tf.reshape(found, [
      ...x.shape.slice(0, batchDims),
      ...outer,
      ...indices.shape.slice(batchDims),
      ...inner
    ])
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

/** The backend's own reads the wrong rows if an axis is taken out, and takes everything for float32. */
const stridedSlice = portableKernel<{ x: tf.Tensor }, StridedSliceAttrs>(
  "StridedSlice",
  ({ x }, attrs, own) => {
    const { begin, end, finalShape, strides } = tf.slice_util.sliceInfo(
      x.shape,
      attrs.begin,
      attrs.end,
      attrs.strides,
      attrs.beginMask,
      attrs.endMask,
      attrs.ellipsisMask,
      attrs.newAxisMask,
      attrs.shrinkAxisMask
    )
    if (strides.every((stride) => stride === 1)) {
      const size = tf.slice_util.computeOutShape(begin, end, strides)
      return tf.reshape(tf.slice(x, begin, size), finalShape)
    }
    return tf.reshape(sliced(x, { begin, end, strides }, own), finalShape)
  }
)

const sliced = (
  x: tf.Tensor,
  bounds: Pick<StridedSliceAttrs, "begin" | "end" | "strides">,
  own: OwnKernel
): tf.Tensor => {
  if (x.dtype === "bool") return tf.cast(sliced(tf.cast(x, "int32"), bounds, own), "bool")
  const masks = {
    beginMask: 0,
    endMask: endMaskOf(bounds),
    ellipsisMask: 0,
    newAxisMask: 0,
    shrinkAxisMask: 0
  }
  const cut = own({ x }, { ...bounds, ...masks })
  if (x.dtype === "float32") return cut
  // The bits are those of the integers all the same.
  return tf.tensor(new Int32Array(cut.dataSync().buffer), cut.shape, "int32")
}

/** Slicing backwards to the first element ends at -1, which would be counted from the end. */
const endMaskOf = ({ end }: Pick<StridedSliceAttrs, "end">): number =>
  end.reduce((mask, bound, axis) => (bound < 0 ? mask | (1 << axis) : mask), 0)

/** The gradient of `tf.gather`: rows with the same id are added up, ids below 0 are left out. */
const segmentSum = portableKernel<{ x: tf.Tensor; segmentIds: tf.Tensor }, { numSegments: number }>(
  "UnsortedSegmentSum",
  ({ segmentIds, x }, { numSegments }) => {
    const ids = segmentIds.dataSync<"int32">()
    const values = x.dataSync<"float32">()
    const width = ids.length === 0 ? 0 : values.length / ids.length
    const inner = x.shape.slice(segmentIds.rank)
    const count = numSegments * tf.util.sizeFromShape(inner)
    const sums = x.dtype === "int32" ? new Int32Array(count) : new Float32Array(count)
    ids.forEach((id, row) => {
      if (id < 0) return
      const [from, to] = [row * width, id * width]
      for (let column = 0; column < width; column += 1) sums[to + column]! += values[from + column]!
    })
    return tf.tensor(sums, [numSegments, ...inner], x.dtype)
  }
)

export const indexingKernels: ReadonlyArray<PortableKernel> = [oneHot, gather, stridedSlice, segmentSum]
