/** Matrix products. */
import { Schema } from "effect"
import { tf } from "../../../lib/tensor/tf.ts"
import { type KernelCase, normal } from "./KernelCase.ts"
import { type KernelGroup, type KernelProperty, property } from "./KernelProperty.ts"

type Shape = ReadonlyArray<number>

const product = (name: string, a: Shape, b: Shape, transposeA = false, transposeB = false): KernelCase => ({
  name: `matMul, ${name}`,
  inputs: [normal(...a), normal(...b)],
  apply: (x: tf.Tensor, y: tf.Tensor) => tf.matMul(x, y, transposeA, transposeB),
  gradient: "reference",
  heavy: true
})

const products: ReadonlyArray<KernelCase> = [
  product("plain", [4, 5], [5, 3]),
  product("the left transposed", [5, 4], [5, 3], true),
  product("the right transposed", [4, 5], [3, 5], false, true),
  product("both transposed", [5, 4], [3, 5], true, true),
  product("a row and a column", [1, 6], [6, 1]),
  product("a column and a row", [4, 1], [1, 3]),
  product("batches", [2, 4, 5], [2, 5, 3]),
  product("batches, the left transposed", [2, 5, 4], [2, 5, 3], true),
  product("batches, the right transposed", [2, 4, 5], [2, 3, 5], false, true),
  product("batches of two axes", [2, 3, 4, 5], [2, 3, 5, 2]),
  product("large enough for low precision", [256, 260], [260, 130]),
  { ...product("one left for all on the right", [1, 4, 5], [3, 5, 2]), gradient: "slope" },
  { ...product("one right for all on the left", [3, 4, 5], [1, 5, 2]), gradient: "slope" },
  {
    name: "dot of vectors",
    inputs: [normal(5), normal(5)],
    apply: (a: tf.Tensor1D, b: tf.Tensor1D) => tf.dot(a, b),
    gradient: "reference"
  },
  {
    name: "outerProduct",
    inputs: [normal(3), normal(4)],
    apply: (a: tf.Tensor1D, b: tf.Tensor1D) => tf.outerProduct(a, b),
    gradient: "reference"
  }
]

const fused = (
  name: string,
  activation: "relu" | "elu" | "linear" | "sigmoid",
  transposeB = false
): KernelCase => ({
  name: `fused matMul, ${name}`,
  inputs: [normal(4, 5), transposeB ? normal(3, 5) : normal(5, 3), normal(3)],
  apply: (a: tf.Tensor2D, b: tf.Tensor2D, bias: tf.Tensor1D) =>
    tf.fused.matMul({ a, b, bias, activation, transposeB }),
  gradient: activation === "linear" ? "reference" : "none",
  heavy: true
})

const fusions: ReadonlyArray<KernelCase> = [
  fused("linear", "linear"),
  fused("relu", "relu"),
  fused("sigmoid", "sigmoid"),
  fused("elu, the right transposed", "elu", true)
]

const summed = (equation: string, ...shapes: ReadonlyArray<Shape>): KernelCase => ({
  name: `einsum ${equation}`,
  inputs: shapes.map((shape) => normal(...shape)),
  apply: (...tensors: Array<tf.Tensor>) => tf.einsum(equation, ...tensors),
  gradient: "slope",
  heavy: true
})

const einsums: ReadonlyArray<KernelCase> = [
  summed("ij,jk->ik", [3, 4], [4, 2]),
  summed("bij,bjk->bik", [2, 3, 4], [2, 4, 2]),
  summed("ij,ij->", [3, 4], [3, 4]),
  summed("i,j->ij", [3], [4]),
  summed("ij->ji", [3, 4]),
  summed("ij->i", [3, 4]),
  summed("ij->", [3, 4]),
  summed("bhqd,bhkd->bhqk", [1, 2, 3, 4], [1, 2, 5, 4]),
  summed("nhwc,c->nhw", [1, 2, 3, 4], [4]),
  summed("ijk,k->ji", [2, 3, 4], [4]),
  {
    ...summed("ij,k->i", [2, 3], [4]),
    // The pure JS backend is wrong about letters that are summed over in one tensor alone.
    reference: (a: tf.Tensor, b: tf.Tensor) => tf.mul(tf.sum(a, 1), tf.sum(b))
  }
]

const small = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 7 }))
const Drawn = Schema.Struct({
  batch: Schema.Array(small).check(Schema.isBetweenLength(0, 2)),
  rows: small,
  inner: small,
  columns: small,
  transposeA: Schema.Boolean,
  transposeB: Schema.Boolean
})

const anyProduct: KernelProperty = {
  ...property("matMul of any shapes", Drawn, (drawn) => {
    const { batch, columns, inner, rows, transposeA, transposeB } = drawn
    const a = transposeA ? [inner, rows] : [rows, inner]
    const b = transposeB ? [columns, inner] : [inner, columns]
    return product(JSON.stringify(drawn), [...batch, ...a], [...batch, ...b], transposeA, transposeB)
  }),
  heavy: true
}

export const matrixProducts: KernelGroup = {
  cases: [...products, ...fusions, ...einsums],
  properties: [anyProduct]
}
