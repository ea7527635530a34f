/** Gradients of products of matrices and of sums over products. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Gradient, gradient, sumTo } from "./Gradient.ts"

interface ProductAttrs {
  readonly transposeA: boolean
  readonly transposeB: boolean
}

/** tfjs's own forgets to add up what was broadcast over batches. */
const matrixProduct = gradient<ProductAttrs>("BatchMatMul", { inputs: ["a", "b"] }, ({ attrs, dy, kept }) => {
  const { transposeA, transposeB } = attrs
  const [a, b] = [kept.a!, kept.b!]
  const da = (): tf.Tensor =>
    transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB)
  const db = (): tf.Tensor =>
    transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false)
  return { a: () => sumTo(da(), a.shape), b: () => sumTo(db(), b.shape) }
})

/** For each tensor: the sum over the others and dy, with the letters of the tensor as its result. */
const einsum: Gradient = {
  kernel: "Einsum",
  register: () =>
    tf.registerGradient({
      kernelName: "Einsum",
      saveAllInputs: true,
      gradFunc: (dys, saved, attrs) => {
        const dy = dys as tf.Tensor
        const [terms = "", result = ""] = (attrs as { equation: string }).equation
          .replaceAll(" ", "")
          .split("->")
        const letters = terms.split(",")
        const rule = (own: number): tf.Tensor => {
          const others = saved.flatMap((tensor, at) => (at === own ? [] : [[letters[at]!, tensor] as const]))
          return intoTerm(letters[own]!, saved[own]!.shape, [[result, dy], ...others])
        }
        return Object.fromEntries(saved.map((_, own) => [String(own), () => rule(own)]))
      }
    })
}

type Term = readonly [letters: string, tensor: tf.Tensor]

/** The letters nobody else has were summed over in this tensor alone: its elements share one gradient. */
const intoTerm = (letters: string, shape: Array<number>, terms: ReadonlyArray<Term>): tf.Tensor => {
  const known = terms.map(([own]) => own).join("")
  const shared = Array.from(letters).filter((letter) => known.includes(letter))
  const small = productOf(terms, shared.join(""))
  const widened = Array.from(letters, (letter, axis) => (shared.includes(letter) ? shape[axis]! : 1))
  return tf.broadcastTo(tf.reshape(small, widened), shape)
}

const productOf = (terms: ReadonlyArray<Term>, result: string): tf.Tensor => {
  const scalars = terms.filter(([letters]) => letters === "")
  const rest = terms.filter(([letters]) => letters !== "")
  const product =
    rest.length === 0
      ? tf.scalar(1)
      : tf.einsum(
          `${rest.map(([letters]) => letters).join(",")}->${result}`,
          ...rest.map(([, tensor]) => tensor)
        )
  return scalars.reduce((sum, [, factor]) => tf.mul(sum, factor), product)
}

export const products: ReadonlyArray<Gradient> = [matrixProduct, einsum]
