/** Gradients of operations that look up, place or pick elements, which tfjs has none for. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Gradient, gradient } from "./Gradient.ts"

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

/** What was cut out goes back where it came from, zeros between and around it. */
const stridedSlice = gradient<StridedSliceAttrs>("StridedSlice", { inputs: ["x"] }, ({ attrs, dy, kept }) => {
  const { shape } = kept.x!
  const { beginMask, ellipsisMask, endMask, newAxisMask, shrinkAxisMask } = attrs
  return {
    x: () => {
      const { begin, end, strides } = tf.slice_util.sliceInfo(
        shape,
        attrs.begin,
        attrs.end,
        attrs.strides,
        beginMask,
        endMask,
        ellipsisMask,
        newAxisMask,
        shrinkAxisMask
      )
      const counts = tf.slice_util.computeOutShape(begin, end, strides)
      if (counts.includes(0)) return tf.zeros(shape)
      const backwards = strides.flatMap((stride, axis) => (stride < 0 ? [axis] : []))
      const cut = tf.reshape(dy, counts)
      const forwards = backwards.length === 0 ? cut : tf.reverse(cut, backwards)
      const spaced = strides.reduce((x, stride, axis) => spaceOut(x, axis, Math.abs(stride)), forwards)
      const margins = shape.map((length, axis): [number, number] => {
        const [stride, count] = [strides[axis]!, counts[axis]!]
        const first = stride < 0 ? begin[axis]! + (count - 1) * stride : begin[axis]!
        return [first, length - first - spaced.shape[axis]!]
      })
      return tf.pad(spaced, margins)
    }
  }
})

/** Puts `by - 1` zeros between neighbours along an axis. */
const spaceOut = (x: tf.Tensor, axis: number, by: number): tf.Tensor => {
  const { shape } = x
  if (by === 1 || shape[axis] === 1) return x
  const outer = tf.util.sizeFromShape(shape.slice(0, axis))
  const inner = tf.util.sizeFromShape(shape.slice(axis + 1))
  const length = shape[axis]!
  const cells = tf.pad(tf.reshape(x, [outer, length, 1, inner]), [
    [0, 0],
    [0, 0],
    [0, by - 1],
    [0, 0]
  ])
  const spaced = (length - 1) * by + 1
  const kept = tf.slice(tf.reshape(cells, [outer, length * by, inner]), [0, 0, 0], [outer, spaced, inner])
  return tf.reshape(kept, [...shape.slice(0, axis), spaced, ...shape.slice(axis + 1)])
}

const gatherNd = gradient("GatherNd", { inputs: ["params", "indices"] }, ({ dy, kept }) => ({
  params: () => tf.scatterND(kept.indices!, dy, kept.params!.shape as never)
}))

const scatterNd = gradient("ScatterNd", { inputs: ["indices"] }, ({ dy, kept }) => ({
  updates: () => tf.gatherND(dy, kept.indices!)
}))

const tensorScatterUpdate = gradient(
  "TensorScatterUpdate",
  { inputs: ["indices", "updates"] },
  ({ dy, kept }) => ({
    tensor: () => tf.tensorScatterUpdate(dy, kept.indices!, tf.zerosLike(kept.updates!)),
    updates: () => tf.gatherND(dy, kept.indices!)
  })
)

const sparseToDense = gradient("SparseToDense", { inputs: ["sparseIndices"] }, ({ dy, kept }) => {
  const indices = kept.sparseIndices!
  const placed = (): tf.Tensor => tf.gatherND(dy, indices.rank === 1 ? tf.reshape(indices, [-1, 1]) : indices)
  return { sparseValues: placed, defaultValue: () => tf.sub(tf.sum(dy), tf.sum(placed())) }
})

/** Each gradient goes to the position its value was found at. */
const topK = gradient("TopK", { inputs: ["x"], outputs: [false, true] }, ({ dy, kept }) => ({
  x: () => {
    const { shape } = kept.x!
    const length = shape.at(-1)!
    const rows = tf.oneHot(tf.cast(kept.y!, "int32"), length, 1, 0, "float32")
    return tf.reshape(tf.sum(tf.mul(rows, tf.reshape(dy, [...dy.shape, 1])), -2), shape)
  }
}))

/** A flip undoes itself. */
const flip = gradient("FlipLeftRight", { inputs: [] }, ({ dy }) => ({
  image: () => tf.image.flipLeftRight(dy as tf.Tensor4D)
}))

interface MirrorAttrs {
  readonly paddings: Array<[number, number]>
  readonly mode: "reflect" | "symmetric"
}

/** What was mirrored into the margins is added to where it came from. tfjs's own leaves the margins out. */
const mirrorPad = gradient<MirrorAttrs>("MirrorPad", { inputs: ["x"] }, ({ attrs, dy, kept }) => ({
  x: () =>
    attrs.paddings.reduce(
      (folded, margins, axis) => foldMargins(folded, axis, kept.x!.shape[axis]!, margins, attrs.mode),
      dy
    )
}))

const foldMargins = (
  dy: tf.Tensor,
  axis: number,
  length: number,
  [before, after]: [number, number],
  mode: "reflect" | "symmetric"
): tf.Tensor => {
  /** The outermost cell is its own mirror image if reflecting, and stays out. */
  const offset = mode === "reflect" ? 1 : 0
  const part = (x: tf.Tensor, from: number, size: number): tf.Tensor =>
    tf.slice(
      x,
      x.shape.map((_, at) => (at === axis ? from : 0)),
      x.shape.map((all, at) => (at === axis ? size : all))
    )
  const placed = (margin: tf.Tensor, from: number): tf.Tensor => {
    const size = margin.shape[axis]!
    const pads = dy.shape.map((_, at): [number, number] =>
      at === axis ? [from, length - from - size] : [0, 0]
    )
    return tf.pad(tf.reverse(margin, axis), pads)
  }
  const parts = [part(dy, before, length)]
  if (before > 0) parts.push(placed(part(dy, 0, before), offset))
  if (after > 0) parts.push(placed(part(dy, before + length, after), length - offset - after))
  return tf.addN(parts)
}

export const indexing: ReadonlyArray<Gradient> = [
  stridedSlice,
  gatherNd,
  scatterNd,
  tensorScatterUpdate,
  sparseToDense,
  topK,
  flip,
  mirrorPad
]
