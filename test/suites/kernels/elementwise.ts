/** Operations that treat each element alone, with one input. */
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
import type { KernelGroup } from "./KernelProperty.ts"

type Draw = (shape: ReadonlyArray<number>) => CaseInput
type Apply = (x: tf.Tensor) => tf.Tensor

const everywhere: Draw = (shape) => normal(...shape)
const within =
  (low: number, high: number): Draw =>
  (shape) =>
    between(low, high, shape)
/** Clear of the multiples of half the spacing. */
const apart =
  (spacing: number): Draw =>
  (shape) =>
    spaced(shape, spacing)

const functions: ReadonlyArray<readonly [name: string, apply: Apply, draw: Draw]> = [
  ["abs", tf.abs, apart(0.1)],
  ["acos", tf.acos, within(-0.9, 0.9)],
  ["acosh", tf.acosh, within(1.1, 3)],
  ["asin", tf.asin, within(-0.9, 0.9)],
  ["asinh", tf.asinh, everywhere],
  ["atan", tf.atan, everywhere],
  ["atanh", tf.atanh, within(-0.9, 0.9)],
  ["ceil", tf.ceil, apart(0.37)],
  ["clipByValue", (x) => tf.clipByValue(x, -0.7, 0.6), apart(0.1)],
  ["cos", tf.cos, everywhere],
  ["cosh", tf.cosh, everywhere],
  ["elu", tf.elu, apart(0.1)],
  ["erf", tf.erf, everywhere],
  ["exp", tf.exp, everywhere],
  ["expm1", tf.expm1, everywhere],
  ["floor", tf.floor, apart(0.37)],
  ["leakyRelu", (x) => tf.leakyRelu(x, 0.1), apart(0.1)],
  ["log", tf.log, within(0.1, 3)],
  ["log1p", tf.log1p, within(-0.5, 3)],
  ["logSigmoid", tf.logSigmoid, everywhere],
  ["mish", (x) => tf.mul(x, tf.tanh(tf.softplus(x))), everywhere],
  ["neg", tf.neg, everywhere],
  ["onesLike", (x) => tf.mul(tf.onesLike(x), x), everywhere],
  ["reciprocal", tf.reciprocal, within(0.3, 3)],
  ["relu", tf.relu, apart(0.1)],
  ["relu6", tf.relu6, apart(0.9)],
  ["round", tf.round, apart(0.37)],
  ["rsqrt", tf.rsqrt, within(0.3, 3)],
  ["selu", tf.selu, apart(0.1)],
  ["sigmoid", tf.sigmoid, everywhere],
  ["sign", tf.sign, apart(0.1)],
  ["sin", tf.sin, everywhere],
  ["sinh", tf.sinh, everywhere],
  ["softplus", tf.softplus, everywhere],
  ["sqrt", tf.sqrt, within(0.1, 3)],
  ["square", tf.square, everywhere],
  ["step", (x) => tf.step(x), apart(0.1)],
  ["step of a slope below zero", (x) => tf.step(x, 0.3), apart(0.1)],
  ["swish", (x) => tf.mul(x, tf.sigmoid(x)), everywhere],
  ["tan", tf.tan, within(-1, 1)],
  ["tanh", tf.tanh, everywhere],
  ["zerosLike", (x) => tf.add(tf.zerosLike(x), x), everywhere]
]

const shapes: ReadonlyArray<readonly [name: string, shape: ReadonlyArray<number>]> = [
  ["a matrix", [5, 7]],
  ["a scalar", []],
  ["axes of length 1", [1, 3, 1]]
]

const smooth = functions.flatMap(([name, apply, draw]) =>
  shapes.map(
    ([what, shape]): KernelCase => ({
      name: `${name} of ${what}`,
      inputs: [draw(shape)],
      apply: apply as never,
      gradient: "reference"
    })
  )
)

const plain = (name: string, input: CaseInput, apply: Apply): KernelCase => ({
  name,
  inputs: [input],
  apply: apply as never,
  gradient: "none"
})

const extreme: ReadonlyArray<KernelCase> = [
  plain("abs of NaN and infinities", extremes, tf.abs),
  plain("clipByValue of NaN and infinities", extremes, (x) => tf.clipByValue(x, -1, 2)),
  plain("exp of infinities", extremes, tf.exp),
  plain("isFinite", extremes, tf.isFinite),
  plain("isInf", extremes, tf.isInf),
  plain("isNaN", extremes, tf.isNaN),
  plain("log of NaN and infinities", extremes, tf.log),
  plain("relu of NaN and infinities", extremes, tf.relu),
  plain("relu6 of NaN and infinities", extremes, tf.relu6),
  plain("sigmoid of infinities", extremes, tf.sigmoid),
  plain("softplus of large values", exactly([-200, -20, 20, 200]), tf.softplus),
  plain("tanh of infinities", extremes, tf.tanh),
  plain("round halves to even", exactly([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]), tf.round)
]

const integers = whole(-6, 7, [3, 5])
const wholes: ReadonlyArray<KernelCase> = [
  plain("abs of int32", integers, tf.abs),
  plain("neg of int32", integers, tf.neg),
  plain("sign of int32", integers, tf.sign),
  plain("square of int32", integers, tf.square),
  plain("relu of int32", integers, tf.relu),
  plain("clipByValue of int32", integers, (x) => tf.clipByValue(x, -2, 3)),
  plain("onesLike of int32", integers, tf.onesLike),
  plain("zerosLike of int32", integers, tf.zerosLike),
  plain("onesLike of bool", flags(2, 3), tf.onesLike),
  plain("logicalNot", flags(4, 3), tf.logicalNot),
  plain("cast float32 to int32", spaced([4, 3], 0.37), (x) => tf.cast(x, "int32")),
  plain("cast float32 to bool", exactly([0, 1, -2, 0.5]), (x) => tf.cast(x, "bool")),
  plain("cast int32 to float32", integers, (x) => tf.cast(x, "float32")),
  plain("cast int32 to bool", integers, (x) => tf.cast(x, "bool")),
  plain("cast bool to float32", flags(2, 3), (x) => tf.cast(x, "float32")),
  plain("cast bool to int32", flags(2, 3), (x) => tf.cast(x, "int32"))
]

const empty: ReadonlyArray<KernelCase> = [
  plain("relu of nothing", exactly([], [0, 3]), tf.relu),
  plain("exp of nothing", exactly([], [2, 0]), tf.exp)
]

export const elementwise: KernelGroup = {
  cases: [...smooth, ...extreme, ...wholes, ...empty],
  properties: []
}
