/** Operations that move elements about without arithmetic. */
import { Schema } from "effect"
import { tf } from "../../../lib/tensor/tf.ts"
import { type CaseInput, exactly, flags, type KernelCase, normal, whole } from "./KernelCase.ts"
import { type KernelGroup, property } from "./KernelProperty.ts"

type Result = tf.Tensor | ReadonlyArray<tf.Tensor>

/** The square lets the gradient depend on where each element went. */
const moved = (name: string, input: CaseInput, apply: (x: tf.Tensor) => Result): KernelCase => ({
  name,
  inputs: [input],
  apply: (x: tf.Tensor) => apply(tf.square(x)),
  gradient: "reference"
})

const plain = (name: string, input: CaseInput, apply: (x: tf.Tensor) => Result): KernelCase => ({
  name,
  inputs: [input],
  apply: apply as never,
  gradient: "none"
})

const shaped: ReadonlyArray<KernelCase> = [
  moved("clone", normal(2, 3), tf.clone),
  moved("reshape", normal(2, 3, 4), (x) => tf.reshape(x, [4, 6])),
  moved("reshape with a length left open", normal(2, 3, 4), (x) => tf.reshape(x, [-1, 8])),
  moved("reshape to a scalar", normal(1, 1), (x) => tf.reshape(x, [])),
  plain("reshape of int32", whole(0, 9, [2, 3]), (x) => tf.reshape(x, [6])),
  plain("reshape of bool", flags(2, 3), (x) => tf.reshape(x, [6])),
  moved("expandDims", normal(2, 3), (x) => tf.expandDims(x, 1)),
  moved("expandDims at the end", normal(2, 3), (x) => tf.expandDims(x, -1)),
  moved("squeeze", normal(2, 1, 3, 1), (x) => tf.squeeze(x)),
  moved("transpose", normal(2, 3), (x) => tf.transpose(x)),
  moved("transpose NHWC to NCHW", normal(2, 3, 4, 5), (x) => tf.transpose(x, [0, 3, 1, 2])),
  moved("transpose to itself", normal(2, 3, 2), (x) => tf.transpose(x, [0, 1, 2])),
  plain("transpose of int32", whole(0, 9, [2, 3, 2]), (x) => tf.transpose(x, [2, 0, 1])),
  moved("tile", normal(2, 3), (x) => tf.tile(x, [2, 3])),
  moved("tile once", normal(2, 3), (x) => tf.tile(x, [1, 1])),
  moved("tile of three axes", normal(2, 1, 3), (x) => tf.tile(x, [1, 4, 2])),
  moved("broadcastTo", normal(3, 1), (x) => tf.broadcastTo(x, [2, 3, 4])),
  moved("reverse all axes", normal(2, 3), (x) => tf.reverse(x)),
  moved("reverse the last axis", normal(2, 3, 2), (x) => tf.reverse(x, -1)),
  moved("reverse two axes", normal(2, 3, 2), (x) => tf.reverse(x, [0, 2])),
  plain("depthToSpace", normal(1, 2, 3, 8), (x) => tf.depthToSpace(x as tf.Tensor4D, 2)),
  moved("spaceToBatchND", normal(1, 4, 6, 2), (x) =>
    tf.spaceToBatchND(
      x,
      [2, 3],
      [
        [0, 0],
        [1, 2]
      ]
    )
  ),
  moved("batchToSpaceND", normal(6, 2, 3, 1), (x) =>
    tf.batchToSpaceND(
      x,
      [2, 3],
      [
        [0, 1],
        [1, 2]
      ]
    )
  )
]

/** tfjs cuts the margins off the gradient instead of adding them up. */
const mirrored = (mode: "reflect" | "symmetric", paddings: Array<[number, number]>): KernelCase => ({
  ...moved(`mirrorPad, ${mode}`, normal(3, 4), (x) => tf.mirrorPad(x, paddings, mode)),
  gradient: "slope"
})

const padded: ReadonlyArray<KernelCase> = [
  moved("pad a matrix", normal(2, 3), (x) =>
    tf.pad(x, [
      [1, 0],
      [0, 2]
    ])
  ),
  moved("pad with a value", normal(2, 3), (x) =>
    tf.pad(
      x,
      [
        [1, 1],
        [2, 1]
      ],
      -3
    )
  ),
  moved("pad rows and columns", normal(1, 2, 3, 2), (x) =>
    tf.pad(x, [
      [0, 0],
      [1, 2],
      [3, 0],
      [0, 0]
    ])
  ),
  plain("pad with minus infinity", normal(1, 2, 2, 1), (x) =>
    tf.pad(
      x,
      [
        [0, 0],
        [1, 1],
        [1, 1],
        [0, 0]
      ],
      Number.NEGATIVE_INFINITY
    )
  ),
  plain("pad of int32", whole(1, 9, [2, 2]), (x) =>
    tf.pad(x, [
      [1, 0],
      [0, 1]
    ])
  ),
  mirrored("reflect", [
    [1, 2],
    [0, 3]
  ]),
  mirrored("symmetric", [
    [3, 2],
    [1, 4]
  ])
]

const cut: ReadonlyArray<KernelCase> = [
  moved("slice", normal(3, 4), (x) => tf.slice(x, [1, 0], [2, 3])),
  moved("slice to the end", normal(3, 4), (x) => tf.slice(x, [1, 2])),
  moved("slice with sizes left open", normal(3, 4, 2), (x) => tf.slice(x, [0, 1, 0], [-1, 2, -1])),
  moved("slice of nothing", normal(3, 4), (x) => tf.slice(x, [1, 1], [0, 2])),
  plain("slice of int32", whole(0, 9, [3, 4]), (x) => tf.slice(x, [1, 1], [2, 2])),
  plain("slice of bool", flags(3, 4), (x) => tf.slice(x, [1, 1], [2, 2])),
  moved("split evenly", normal(2, 6), (x) => tf.split(x, 3, 1)),
  moved("split by sizes", normal(2, 6), (x) => tf.split(x, [1, 2, 3], 1)),
  moved("split with a size left open", normal(5, 2), (x) => tf.split(x, [1, -1, 2], 0)),
  moved("split along the last axis", normal(2, 3, 4), (x) => tf.split(x, 2, -1)),
  moved("unstack", normal(3, 4), (x) => tf.unstack(x)),
  moved("unstack the last axis", normal(2, 3), (x) => tf.unstack(x, -1))
]

const several = (
  name: string,
  shapes: ReadonlyArray<ReadonlyArray<number>>,
  apply: (xs: Array<tf.Tensor>) => tf.Tensor
): KernelCase => ({
  name,
  inputs: shapes.map((shape) => normal(...shape)),
  apply: (...xs: Array<tf.Tensor>) => apply(xs.map((x) => tf.square(x))),
  gradient: "reference"
})

const joined: ReadonlyArray<KernelCase> = [
  several(
    "concat",
    [
      [2, 3],
      [1, 3]
    ],
    (xs) => tf.concat(xs, 0)
  ),
  several(
    "concat along the last axis",
    [
      [2, 3],
      [2, 1],
      [2, 2]
    ],
    (xs) => tf.concat(xs, -1)
  ),
  several(
    "concat of feature maps",
    [
      [1, 2, 2, 3],
      [1, 2, 2, 1]
    ],
    (xs) => tf.concat(xs, 3)
  ),
  several(
    "concat with something empty",
    [
      [2, 3],
      [0, 3]
    ],
    (xs) => tf.concat(xs, 0)
  ),
  several("concat of one", [[2, 3]], (xs) => tf.concat(xs, 1)),
  several(
    "stack",
    [
      [2, 3],
      [2, 3]
    ],
    (xs) => tf.stack(xs)
  ),
  several(
    "stack at the end",
    [
      [2, 3],
      [2, 3]
    ],
    (xs) => tf.stack(xs, -1)
  ),
  several("stack of scalars", [[], [], []], (xs) => tf.stack(xs)),
  {
    name: "concat of int32",
    inputs: [whole(0, 9, [2, 2]), whole(0, 9, [2, 2])],
    apply: (a: tf.Tensor, b: tf.Tensor) => tf.concat([a, b], 0),
    gradient: "none"
  }
]

const made = (name: string, make: () => tf.Tensor): KernelCase => ({
  name,
  inputs: [exactly([1])],
  apply: () => make(),
  gradient: "none"
})

const constants: ReadonlyArray<KernelCase> = [
  made("fill", () => tf.fill([2, 3], 1.5)),
  made("fill of int32", () => tf.fill([2, 3], 7, "int32")),
  made("zeros of bool", () => tf.zeros([2, 3], "bool")),
  made("ones of many", () => tf.ones([10, 10])),
  made("range", () => tf.range(0, 5, 2)),
  made("range downwards", () => tf.range(5, 0, -2, "int32")),
  made("range of nothing", () => tf.range(3, 3)),
  made("linspace", () => tf.linspace(-1, 2, 7)),
  made("linspace of one", () => tf.linspace(3, 9, 1)),
  made("eye", () => tf.eye(3, 4))
]

const Axis = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 }))
const Cut = Schema.Struct({
  length: Axis,
  from: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 })),
  size: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
})

const slices = property(
  "slice of any part",
  Schema.Array(Cut).check(Schema.isBetweenLength(1, 4)),
  (drawn) => {
    const shape = drawn.map(({ length }) => length)
    const begin = drawn.map(({ from, length }) => Math.min(from, length))
    const size = drawn.map(({ length, size }, axis) => Math.min(size, length - begin[axis]!))
    return moved(`slice [${size}] from [${begin}] of [${shape}]`, normal(...shape), (x) =>
      tf.slice(x, begin, size)
    )
  }
)

const transposes = property(
  "transpose of any axes",
  Schema.Array(Schema.Struct({ length: Axis, order: Schema.Int })).check(Schema.isBetweenLength(1, 5)),
  (drawn) => {
    const shape = drawn.map(({ length }) => length)
    const perm = drawn.map((_, axis) => axis).sort((a, b) => drawn[a]!.order - drawn[b]!.order || a - b)
    return moved(`transpose [${shape}] by [${perm}]`, normal(...shape), (x) => tf.transpose(x, perm))
  }
)

export const array: KernelGroup = {
  cases: [...shaped, ...padded, ...cut, ...joined, ...constants],
  properties: [slices, transposes]
}
