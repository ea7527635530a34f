/** Sums over products, which the WebAssembly backend does not have, and products it finishes wrong. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Epilogue, type EpilogueAttrs, finished } from "../kernels/fused.ts"
import { type PortableKernel, portableKernel } from "./PortableKernel.ts"

interface Term {
  /** One letter for each axis. */
  readonly letters: string
  readonly tensor: tf.Tensor
}

const without = (letters: string, others: string): string =>
  Array.from(letters)
    .filter((letter) => !others.includes(letter))
    .join("")

const common = (letters: string, others: string): string =>
  Array.from(letters)
    .filter((letter) => others.includes(letter))
    .join("")

/** Adds up the axes whose letters nobody else wants. */
const summedTo = ({ letters, tensor }: Term, wanted: string): Term => {
  const axes = Array.from(letters).flatMap((letter, axis) => (wanted.includes(letter) ? [] : [axis]))
  return axes.length === 0
    ? { letters, tensor }
    : { letters: common(letters, wanted), tensor: tf.sum(tensor, axes) }
}

const transposedTo = ({ letters, tensor }: Term, order: string): tf.Tensor =>
  tf.transpose(
    tensor,
    Array.from(order, (letter) => letters.indexOf(letter))
  )

/** Letters of both that stay are batches, of both that go are summed over; others are rows and columns. */
const productOf = (a: Term, b: Term, result: string): Term => {
  const shared = common(a.letters, b.letters)
  const batch = common(shared, result)
  const inner = without(shared, result)
  const rows = without(a.letters, shared)
  const columns = without(b.letters, shared)
  const lengths = new Map(
    [a, b].flatMap(({ letters, tensor }) =>
      Array.from(letters, (letter, axis) => [letter, tensor.shape[axis]!] as const)
    )
  )
  const shapeOf = (letters: string): Array<number> => Array.from(letters, (letter) => lengths.get(letter)!)
  const sizeOf = (letters: string): number => tf.util.sizeFromShape(shapeOf(letters))
  const left = tf.reshape(transposedTo(a, batch + rows + inner), [sizeOf(batch), sizeOf(rows), sizeOf(inner)])
  const right = tf.reshape(transposedTo(b, batch + inner + columns), [
    sizeOf(batch),
    sizeOf(inner),
    sizeOf(columns)
  ])
  const letters = batch + rows + columns
  return { letters, tensor: tf.reshape(tf.matMul(left, right), shapeOf(letters)) }
}

/** As matrix products. */
const einsum = portableKernel<{ readonly [index: string]: tf.Tensor }, { equation: string }>(
  "Einsum",
  (inputs, { equation }) => {
    const [terms = "", result = ""] = equation.replaceAll(" ", "").split("->")
    const letters = terms.split(",")
    const given = Object.values(inputs).map((tensor, index): Term => ({ letters: letters[index]!, tensor }))
    const needed = given.map((term, own) => {
      const others = letters.filter((_, index) => index !== own).join("")
      return summedTo(term, result + others)
    })
    const whole = needed.reduce((product, term, index) => {
      const later = letters.slice(index + 1).join("")
      return productOf(product, term, result + later)
    })
    return transposedTo(summedTo(whole, result), result)
  }
)

type FusedInputs = Epilogue & { readonly a: tf.Tensor; readonly b: tf.Tensor }

interface FusedAttrs extends EpilogueAttrs {
  readonly transposeA: boolean
  readonly transposeB: boolean
}

/** The backend's own adds the wrong bias where a matrix is transposed. */
const fused = portableKernel<FusedInputs, FusedAttrs>("_FusedMatMul", (inputs, attrs, own) => {
  const { transposeA, transposeB } = attrs
  if (!transposeA && !transposeB) return own({ ...inputs }, attrs)
  return finished(tf.matMul(inputs.a, inputs.b, transposeA, transposeB), inputs, attrs)
})

export const productKernels: ReadonlyArray<PortableKernel> = [einsum, fused]
