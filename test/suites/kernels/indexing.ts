/** Operations that look up, place or pick elements by number. */
import { tf } from "../../../lib/tensor/tf.ts"
import {
  type CaseInput,
  exactly,
  type KernelCase,
  normal,
  type Operation,
  spaced,
  whole
} from "./KernelCase.ts"
import type { KernelGroup } from "./KernelProperty.ts"

const plain = (name: string, inputs: ReadonlyArray<CaseInput>, apply: Operation): KernelCase => ({
  name,
  inputs,
  apply,
  gradient: "none"
})

const taken = (
  name: string,
  x: CaseInput,
  indices: CaseInput,
  axis: number,
  gradient: KernelCase["gradient"] = "reference"
): KernelCase => ({
  name,
  inputs: [x, indices],
  apply: (from: tf.Tensor, at: tf.Tensor) => tf.gather(tf.square(from), at as tf.Tensor1D, axis),
  gradient
})

const rows = (count: number, below: number): CaseInput => whole(0, below, [count])

const gathers: ReadonlyArray<KernelCase> = [
  taken("gather rows", normal(5, 3), exactly([0, 2, 2, 4], [4], "int32"), 0),
  taken("gather columns", normal(3, 5), rows(4, 5), 1),
  taken("gather along the last axis", normal(2, 3, 4), rows(3, 4), -1),
  taken("gather from a vector", normal(6), rows(4, 6), 0),
  taken("gather by a matrix", normal(5, 3), whole(0, 5, [2, 3]), 0),
  taken("gather middle by a matrix", normal(2, 5, 3), whole(0, 5, [2, 2]), 1),
  taken("gather by one", normal(5, 3), rows(1, 5), 0),
  taken("gather nothing", normal(5, 3), exactly([], [0], "int32"), 0, "none"),
  plain("gather from int32", [whole(0, 90, [5, 2]), rows(3, 5)], (x: tf.Tensor, at: tf.Tensor1D) =>
    tf.gather(x, at)
  ),
  {
    name: "gather, a batch at a time",
    inputs: [normal(2, 5, 3), whole(0, 5, [2, 4])],
    apply: (x: tf.Tensor, at: tf.Tensor) => tf.gather(x, at as tf.Tensor1D, 1, 1),
    gradient: "slope"
  },
  {
    name: "gatherND of rows",
    inputs: [normal(4, 3), whole(0, 4, [5, 1])],
    apply: (x: tf.Tensor, at: tf.Tensor) => tf.gatherND(x, at),
    gradient: "slope"
  },
  {
    name: "gatherND of elements",
    inputs: [normal(4, 3), whole(0, 3, [2, 2, 2])],
    apply: (x: tf.Tensor, at: tf.Tensor) => tf.gatherND(x, at),
    gradient: "slope"
  }
]

const places: ReadonlyArray<KernelCase> = [
  {
    name: "unsortedSegmentSum",
    inputs: [normal(5, 3), exactly([0, 2, 0, 3, 2], [5], "int32")],
    apply: (x: tf.Tensor, ids: tf.Tensor) => tf.unsortedSegmentSum(x, ids as tf.Tensor1D, 4),
    gradient: "reference"
  },
  {
    name: "unsortedSegmentSum leaves ids below 0 out",
    inputs: [normal(5, 2, 2), exactly([0, -1, 1, 1, -1], [5], "int32")],
    apply: (x: tf.Tensor, ids: tf.Tensor) => tf.unsortedSegmentSum(x, ids as tf.Tensor1D, 3),
    gradient: "reference"
  },
  plain(
    "unsortedSegmentSum of int32",
    [whole(-5, 6, [4, 2]), whole(0, 3, [4])],
    (x: tf.Tensor, ids: tf.Tensor1D) => tf.unsortedSegmentSum(x, ids, 3)
  ),
  {
    name: "scatterND adds what falls on one place",
    inputs: [exactly([1, 3, 1, 0], [4, 1], "int32"), normal(4, 2)],
    apply: (at: tf.Tensor, values: tf.Tensor) => tf.scatterND(at, values, [5, 2]),
    gradient: "slope"
  },
  {
    name: "scatterND of elements",
    inputs: [whole(0, 3, [3, 2]), normal(3)],
    apply: (at: tf.Tensor, values: tf.Tensor) => tf.scatterND(at, values, [3, 4]),
    gradient: "slope"
  },
  {
    name: "tensorScatterUpdate",
    inputs: [normal(5, 2), exactly([1, 3], [2, 1], "int32"), normal(2, 2)],
    apply: (x: tf.Tensor, at: tf.Tensor, values: tf.Tensor) => tf.tensorScatterUpdate(x, at, values),
    gradient: "slope"
  },
  {
    name: "sparseToDense",
    inputs: [exactly([1, 4, 5], [3], "int32"), normal(3)],
    apply: (at: tf.Tensor, values: tf.Tensor) =>
      tf.sparseToDense(at, values as tf.Tensor1D, [7], tf.scalar(0)),
    gradient: "slope"
  },
  {
    name: "sparseToDense on a matrix with a value elsewhere",
    inputs: [exactly([0, 1, 2, 0], [2, 2], "int32"), normal(2)],
    apply: (at: tf.Tensor, values: tf.Tensor) =>
      tf.sparseToDense(at, values as tf.Tensor1D, [3, 2], tf.scalar(-1)),
    gradient: "slope"
  }
]

const rowsOfOnes: ReadonlyArray<KernelCase> = [
  plain("oneHot", [whole(0, 4, [5])], (labels: tf.Tensor1D) => tf.oneHot(labels, 4)),
  plain("oneHot of labels outside", [exactly([-1, 0, 3, 9], [4], "int32")], (labels: tf.Tensor1D) =>
    tf.oneHot(labels, 4)
  ),
  plain("oneHot with other values", [whole(0, 3, [2, 2])], (labels: tf.Tensor1D) =>
    tf.oneHot(labels, 3, 0.9, 0.05, "float32")
  ),
  plain("oneHot of float32", [whole(0, 3, [4])], (labels: tf.Tensor1D) =>
    tf.oneHot(labels, 3, 1, 0, "float32")
  )
]

const strided = (
  name: string,
  shape: ReadonlyArray<number>,
  apply: (x: tf.Tensor) => tf.Tensor
): KernelCase => ({
  name,
  inputs: [normal(...shape)],
  apply: (x: tf.Tensor) => apply(tf.square(x)),
  gradient: "slope"
})

const strides: ReadonlyArray<KernelCase> = [
  strided("stridedSlice, every second", [5, 7], (x) => tf.stridedSlice(x, [0, 1], [5, 7], [2, 2])),
  strided("stridedSlice, stride 1", [5, 4], (x) => tf.stridedSlice(x, [1, 0], [4, 3], [1, 1])),
  strided("stridedSlice backwards", [5, 4], (x) => tf.stridedSlice(x, [4, 3], [0, 0], [-1, -2])),
  strided("stridedSlice from the end", [6, 3], (x) => tf.stridedSlice(x, [-4, 0], [-1, 3], [1, 1])),
  strided("stridedSlice with masks", [5, 6], (x) => tf.stridedSlice(x, [2, 1], [3, 2], [1, 3], 1, 2)),
  {
    ...strided("stridedSlice with an axis taken out", [5, 6], (x) =>
      tf.stridedSlice(x, [2, 1], [3, 6], [1, 2], 0, 0, 0, 0, 1)
    ),
    // The pure JS backend reads the wrong row then.
    reference: (x: tf.Tensor) => tf.gather(tf.reshape(tf.slice(tf.square(x), 2, 1), [6]), [1, 3, 5])
  },
  strided("stridedSlice with a new axis", [4, 3], (x) =>
    tf.stridedSlice(x, [0, 1, 0], [1, 4, 3], [1, 2, 1], 0, 0, 0, 1, 0)
  ),
  strided("stridedSlice with an ellipsis", [2, 3, 5], (x) =>
    tf.stridedSlice(x, [0, 1], [0, 5], [1, 2], 0, 0, 1)
  ),
  strided("stridedSlice of pixels", [1, 5, 6, 2], (x) =>
    tf.stridedSlice(x, [0, 0, 1, 0], [1, 5, 6, 2], [1, 2, 3, 1])
  ),
  plain("stridedSlice of int32", [whole(0, 9, [5, 4])], (x: tf.Tensor) =>
    tf.stridedSlice(x, [0, 0], [5, 4], [2, 3])
  )
]

const picked = (name: string, shape: ReadonlyArray<number>, k: number): KernelCase => ({
  name,
  inputs: [spaced(shape)],
  apply: (x: tf.Tensor) => {
    const { indices, values } = tf.topk(tf.mul(x, 1.5), k)
    return [values, indices]
  },
  gradient: "slope"
})

const largest: ReadonlyArray<KernelCase> = [
  picked("topk of a vector", [7], 3),
  picked("topk of rows", [3, 6], 2),
  picked("topk of three axes", [2, 3, 5], 4),
  picked("topk of all", [2, 4], 4),
  picked("topk of one", [3, 4], 1),
  plain("topk of int32", [exactly([4, 9, 1, 7, 3, 0], [2, 3], "int32")], (x: tf.Tensor) => {
    const { indices, values } = tf.topk(x, 2)
    return [values, indices]
  }),
  plain("topk takes the first of equals", [exactly([1, 5, 5, 2])], (x: tf.Tensor) => {
    const { indices, values } = tf.topk(x, 3)
    return [values, indices]
  })
]

export const indexing: KernelGroup = {
  cases: [...gathers, ...places, ...rowsOfOnes, ...strides, ...largest],
  properties: []
}
