/** Operations on two tensors that are broadcast against each other. */
import { Schema } from "effect"
import { tf } from "../../../lib/tensor/tf.ts"
import {
  between,
  type CaseInput,
  exactly,
  flags,
  type KernelCase,
  normal,
  spaced,
  whole
} from "./KernelCase.ts"
import { type KernelGroup, property } from "./KernelProperty.ts"

type Shape = ReadonlyArray<number>
type Draw = (shape: Shape) => CaseInput
type Apply = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor

const pairs: ReadonlyArray<readonly [name: string, a: Shape, b: Shape]> = [
  ["equal shapes", [3, 4], [3, 4]],
  ["a row on the right", [2, 3, 4], [4]],
  ["a row on the left", [4], [2, 3, 4]],
  ["a column and a row", [3, 1], [1, 4]],
  ["a scalar on the right", [2, 3], []],
  ["a scalar on the left", [], [2, 3]],
  ["middle axes of length 1", [2, 1, 4], [2, 3, 1]]
]

const everywhere: Draw = (shape) => normal(...shape)
const positive: Draw = (shape) => between(0.4, 2, shape)
const left: Draw = (shape) => spaced(shape)
/** Halfway between the left side's values. */
const right: Draw = (shape) => ({
  ...spaced(shape),
  draw: (random, count) => Array.from(spaced(shape).draw(random, count), (value) => value + 0.05)
})

const arithmetic: ReadonlyArray<readonly [string, Apply, Draw, Draw]> = [
  ["add", tf.add, everywhere, everywhere],
  ["sub", tf.sub, everywhere, everywhere],
  ["mul", tf.mul, everywhere, everywhere],
  ["div", tf.div, everywhere, positive],
  ["maximum", tf.maximum, left, right],
  ["minimum", tf.minimum, left, right],
  ["pow", tf.pow, positive, everywhere],
  ["squaredDifference", tf.squaredDifference, everywhere, everywhere],
  ["atan2", tf.atan2, positive, positive],
  ["mod", tf.mod, (shape) => spaced(shape, 0.31), positive],
  ["prelu", tf.prelu, left, everywhere]
]

const smooth = arithmetic.flatMap(([name, apply, a, b]) =>
  pairs
    // The slope of prelu is given for each channel; tfjs takes nothing that is larger than x.
    .filter(([what]) => name !== "prelu" || what.includes("equal") || what.includes("right"))
    .map(
      ([what, first, second]): KernelCase => ({
        name: `${name}, ${what}`,
        inputs: [a(first), b(second)],
        apply: apply as never,
        gradient: ["maximum", "minimum", "squaredDifference"].includes(name) ? "slope" : "reference"
      })
    )
)

const plain = (name: string, a: CaseInput, b: CaseInput, apply: Apply): KernelCase => ({
  name,
  inputs: [a, b],
  apply: apply as never,
  gradient: "none"
})

const digits = (shape: Shape): CaseInput => whole(-3, 4, shape)

const comparisons: ReadonlyArray<readonly [string, Apply]> = [
  ["equal", tf.equal],
  ["notEqual", tf.notEqual],
  ["greater", tf.greater],
  ["greaterEqual", tf.greaterEqual],
  ["less", tf.less],
  ["lessEqual", tf.lessEqual]
]

const compared = comparisons.flatMap(([name, apply]) => [
  plain(`${name} of int32, equal shapes`, digits([4, 5]), digits([4, 5]), apply),
  plain(`${name} of int32, a column and a row`, digits([4, 1]), digits([1, 5]), apply),
  plain(`${name} of float32, a scalar`, spaced([3, 4]), exactly([0.05], []), apply)
])

const logical = (
  [
    ["logicalAnd", tf.logicalAnd],
    ["logicalOr", tf.logicalOr],
    ["logicalXor", tf.logicalXor]
  ] as ReadonlyArray<readonly [string, Apply]>
).flatMap(([name, apply]) => [
  plain(`${name}, equal shapes`, flags(4, 5), flags(4, 5), apply),
  plain(`${name}, a row`, flags(3, 4), flags(4), apply)
])

const integer = (
  [
    ["add", tf.add],
    ["sub", tf.sub],
    ["mul", tf.mul],
    ["maximum", tf.maximum],
    ["minimum", tf.minimum],
    ["squaredDifference", tf.squaredDifference]
  ] as ReadonlyArray<readonly [string, Apply]>
).map(([name, apply]) => plain(`${name} of int32`, digits([2, 3, 4]), digits([3, 1]), apply))

const others: ReadonlyArray<KernelCase> = [
  plain("floorDiv of float32", spaced([4, 5], 0.31), between(0.5, 2, [5]), tf.floorDiv),
  plain("floorDiv of int32", whole(-9, 10, [4, 5]), whole(1, 5, [5]), tf.floorDiv),
  plain("div of int32", whole(-9, 10, [4, 5]), whole(1, 5, [5]), tf.div),
  plain("mod of int32", whole(-9, 10, [4, 5]), whole(1, 5, [5]), tf.mod),
  plain("pow of int32", whole(1, 4, [4, 5]), whole(0, 4, [5]), tf.pow),
  plain("add of int32 and float32", digits([3, 4]), normal(4), tf.add),
  plain("mul of float32 and bool", normal(3, 4), flags(3, 4), tf.mul),
  plain("maximum with NaN", exactly([Number.NaN, 1, -1]), exactly([0, Number.NaN, 3]), tf.maximum),
  plain("minimum with NaN", exactly([Number.NaN, 1, -1]), exactly([0, Number.NaN, 3]), tf.minimum),
  plain("add of nothing", exactly([], [0, 3]), normal(3), tf.add),
  {
    name: "where, equal shapes",
    inputs: [flags(3, 4), normal(3, 4), normal(3, 4)],
    apply: (condition: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.where(condition, a, b),
    gradient: "reference"
  },
  {
    name: "where of int32",
    inputs: [flags(3, 4), digits([3, 4]), digits([3, 4])],
    apply: (condition: tf.Tensor, a: tf.Tensor, b: tf.Tensor) => tf.where(condition, a, b),
    gradient: "none"
  },
  {
    name: "addN",
    inputs: [normal(3, 4), normal(3, 4), normal(3, 4)],
    apply: (...xs: Array<tf.Tensor>) => tf.addN(xs),
    gradient: "reference"
  },
  {
    name: "addN of one",
    inputs: [normal(3, 4)],
    apply: (x: tf.Tensor) => tf.addN([x]),
    gradient: "reference"
  },
  {
    name: "relu, its gradient taken from what came out",
    inputs: [spaced([4, 6])],
    apply: (x: tf.Tensor) => tf.mul(tf.relu(x), tf.relu(tf.neg(tf.relu(x)))),
    gradient: "reference"
  }
]

const Length = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 }))
const Axis = Schema.Struct({ length: Length, kept: Schema.Literals(["both", "left", "right"]) })
const Broadcast = Schema.Struct({
  axes: Schema.Array(Axis).check(Schema.isBetweenLength(0, 4)),
  missing: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 })),
  swapped: Schema.Boolean
})

/** Any shape, and any other that broadcasts to it or it to. */
const broadcast = property(
  "mul of any two shapes that broadcast",
  Broadcast,
  ({ axes, missing, swapped }) => {
    const a = axes.map(({ kept, length }) => (kept === "right" ? 1 : length))
    const b = axes.map(({ kept, length }) => (kept === "left" ? 1 : length)).slice(missing)
    const inputs = [normal(...a), normal(...b)]
    return {
      name: `mul of [${a}] and [${b}]`,
      inputs: swapped ? inputs.reverse() : inputs,
      apply: (x: tf.Tensor, y: tf.Tensor) => tf.mul(x, y),
      gradient: "reference"
    }
  }
)

export const binary: KernelGroup = {
  cases: [...smooth, ...compared, ...logical, ...integer, ...others],
  properties: [broadcast]
}
