/** Operations that fold axes away, and those defined by such folds. */
import { Schema } from "effect"
import { tf } from "../../../lib/tensor/tf.ts"
import {
  between,
  type CaseInput,
  exactly,
  extremes,
  flags,
  type KernelCase,
  normal,
  spaced,
  whole
} from "./KernelCase.ts"
import { type KernelGroup, property } from "./KernelProperty.ts"

type Shape = ReadonlyArray<number>
type Axis = number | Array<number> | undefined
type Fold = (x: tf.Tensor, axis?: Axis, keepDims?: boolean) => tf.Tensor

const axes: ReadonlyArray<readonly [name: string, shape: Shape, axis: Axis, keepDims: boolean]> = [
  ["all axes", [2, 3, 4], undefined, false],
  ["all axes, kept", [2, 3, 4], undefined, true],
  ["the first axis", [3, 4], 0, false],
  ["the last axis", [3, 4], -1, false],
  ["the last axis, kept", [3, 4], -1, true],
  ["the outer axes", [2, 3, 4], [0, 2], false],
  ["rows and columns, kept", [2, 3, 4, 2], [1, 2], true],
  ["an axis of length 1", [3, 1, 2], 1, false],
  ["no axis", [3, 2], [], false],
  ["a scalar", [], undefined, false]
]

const folds: ReadonlyArray<readonly [string, Fold, (shape: Shape) => CaseInput]> = [
  ["sum", tf.sum, (shape) => normal(...shape)],
  ["mean", tf.mean, (shape) => normal(...shape)],
  ["max", tf.max, (shape) => spaced(shape)],
  ["min", tf.min, (shape) => spaced(shape)],
  ["prod", tf.prod, (shape) => between(0.5, 1.5, shape)]
]

const arithmetic = folds.flatMap(([name, fold, draw]) =>
  axes.map(
    ([what, shape, axis, keepDims]): KernelCase => ({
      name: `${name} over ${what}`,
      inputs: [draw(shape)],
      apply: (x: tf.Tensor) => fold(x, axis, keepDims),
      gradient: name === "prod" ? "slope" : "reference"
    })
  )
)

const plain = (name: string, input: CaseInput, apply: (x: tf.Tensor) => tf.Tensor): KernelCase => ({
  name,
  inputs: [input],
  apply: apply as never,
  gradient: "none"
})

const logical = (
  [
    ["all", tf.all],
    ["any", tf.any]
  ] as ReadonlyArray<readonly [string, Fold]>
).flatMap(([name, fold]) => [
  plain(`${name} over all axes`, flags(2, 3), (x) => fold(x)),
  plain(`${name} over the last axis`, flags(4, 3), (x) => fold(x, -1)),
  plain(`${name} over the first axis, kept`, flags(4, 3), (x) => fold(x, 0, true))
])

/** The pure JS backend says that not all of nothing is true. */
const ofNothing: ReadonlyArray<KernelCase> = [
  {
    ...plain("all of nothing", exactly([], [2, 0], "bool"), (x) => tf.all(x, 1)),
    reference: () => tf.ones([2], "bool")
  },
  plain("any of nothing", exactly([], [2, 0], "bool"), (x) => tf.any(x, 1))
]

const integers = whole(-5, 6, [3, 4])
const special: ReadonlyArray<KernelCase> = [
  plain("sum of int32", integers, (x) => tf.sum(x, 0)),
  plain("sum of bool", flags(3, 4), (x) => tf.sum(x, 1)),
  plain("mean of int32", integers, (x) => tf.mean(x, 0)),
  plain("max of int32", integers, (x) => tf.max(x, 0)),
  plain("min of int32", integers, (x) => tf.min(x, 1)),
  plain("prod of int32", whole(1, 4, [3, 4]), (x) => tf.prod(x, 1)),
  plain("sum of nothing", exactly([], [3, 0]), (x) => tf.sum(x, 1)),
  plain("sum of all of nothing", exactly([], [0]), (x) => tf.sum(x)),
  plain("prod of nothing", exactly([], [2, 0]), (x) => tf.prod(x, 1)),
  plain("max with NaN and infinities", extremes, (x) => tf.max(x)),
  plain("min with NaN and infinities", extremes, (x) => tf.min(x)),
  plain("max of infinities", exactly([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]), (x) => tf.max(x)),
  plain("argMax", spaced([3, 5]), (x) => tf.argMax(x, -1)),
  plain("argMax over the first axis", spaced([3, 5]), (x) => tf.argMax(x, 0)),
  plain("argMax takes the first of equals", exactly([1, 3, 3, 0]), (x) => tf.argMax(x)),
  plain("argMax of int32", whole(0, 50, [4, 3]), (x) => tf.argMax(x, 1)),
  plain("argMin", spaced([3, 5]), (x) => tf.argMin(x, -1)),
  plain("argMin takes the first of equals", exactly([1, 0, 3, 0]), (x) => tf.argMin(x)),
  {
    name: "max, equals share as in tfjs",
    inputs: [exactly([1, 3, 3, 0], [2, 2])],
    apply: (x: tf.Tensor) => tf.max(x),
    gradient: "reference"
  }
]

const differentiable = (
  name: string,
  shape: Shape,
  apply: (x: tf.Tensor) => tf.Tensor | ReadonlyArray<tf.Tensor>,
  gradient: KernelCase["gradient"] = "reference"
): KernelCase => ({ name, inputs: [spaced(shape)], apply: apply as never, gradient })

const composed: ReadonlyArray<KernelCase> = [
  differentiable("softmax", [4, 6], (x) => tf.softmax(x)),
  differentiable("softmax of one class", [3, 1], (x) => tf.softmax(x)),
  differentiable("softmax of a vector", [5], (x) => tf.softmax(x)),
  differentiable("logSoftmax", [4, 6], (x) => tf.logSoftmax(x)),
  differentiable("logSoftmax over three axes", [2, 3, 4], (x) => tf.logSoftmax(x)),
  plain("softmax of large values", exactly([1000, 999, -1000, 0]), (x) => tf.softmax(x)),
  plain("logSoftmax of large values", exactly([1000, 999, -1000, 0]), (x) => tf.logSoftmax(x)),
  differentiable("logSumExp", [3, 4], (x) => tf.logSumExp(x, 1)),
  differentiable("norm", [3, 4], (x) => tf.norm(x, 2, 1)),
  differentiable("moments", [2, 3, 4], (x) => {
    const { mean, variance } = tf.moments(x, [0, 1])
    return [mean, variance]
  }),
  differentiable("cumsum", [3, 4], (x) => tf.cumsum(x, 1), "slope"),
  differentiable("cumsum over the first axis", [3, 4], (x) => tf.cumsum(x, 0), "slope"),
  {
    ...differentiable("cumsum, exclusive", [3, 4], (x) => tf.cumsum(x, -1, true), "slope"),
    // The pure JS backend takes no negative axes.
    reference: (x: tf.Tensor) => tf.cumsum(x, 1, true)
  },
  differentiable("cumsum, reversed", [2, 5], (x) => tf.cumsum(x, 1, false, true), "slope"),
  differentiable("cumsum, exclusive and reversed", [2, 5], (x) => tf.cumsum(x, 1, true, true), "slope"),
  differentiable("cumprod", [2, 4], (x) => tf.cumprod(tf.add(x, 2), 1), "slope"),
  {
    ...differentiable("cumprod, exclusive", [3, 3], (x) => tf.cumprod(tf.add(x, 2), -1, true), "slope"),
    reference: (x: tf.Tensor) => tf.cumprod(tf.add(x, 2), 1, true)
  },
  differentiable("cumprod, reversed", [3, 3], (x) => tf.cumprod(tf.add(x, 2), 0, false, true), "slope"),
  differentiable("prod with a zero", [4], (x) => tf.prod(tf.mul(x, tf.tensor1d([1, 0, 2, 3]))), "slope"),
  plain("cumsum of int32", integers, (x) => tf.cumsum(x, 1))
]

const Length = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 }))
const Folded = Schema.Array(Schema.Struct({ length: Length, folded: Schema.Boolean })).check(
  Schema.isBetweenLength(1, 4)
)

const anyAxes = (name: string, fold: Fold, draw: (shape: Shape) => CaseInput) =>
  property(`${name} over any axes`, Schema.Struct({ axes: Folded, keepDims: Schema.Boolean }), (drawn) => {
    const shape = drawn.axes.map(({ length }) => length)
    const along = drawn.axes.flatMap(({ folded }, index) => (folded ? [index] : []))
    return {
      name: `${name} of [${shape}] over [${along}]`,
      inputs: [draw(shape)],
      apply: (x: tf.Tensor) => fold(x, along, drawn.keepDims),
      gradient: "reference"
    }
  })

export const reduce: KernelGroup = {
  cases: [...arithmetic, ...logical, ...ofNothing, ...special, ...composed],
  properties: [
    anyAxes("sum", tf.sum, (shape) => normal(...shape)),
    anyAxes("max", tf.max, (shape) => spaced(shape)),
    anyAxes("mean", tf.mean, (shape) => normal(...shape))
  ]
}
