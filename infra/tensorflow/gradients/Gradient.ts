/** How the gradient of a tfjs kernel is written down. */
import { tf } from "../../../lib/tensor/tf.ts"

type Tensors = { readonly [name: string]: tf.Tensor }

/** What the forward pass leaves for the gradient. */
export interface Saved<A> {
  /** Of a kernel with several outputs, its first: the others are positions and have none. */
  readonly dy: tf.Tensor
  /** The tensors asked for, by the names of inputs; outputs are `y`. */
  readonly kept: Tensors
  readonly attrs: A
}

export interface Gradient {
  readonly kernel: string
  readonly register: () => void
}

/** What a rule keeps: inputs by name, and the output of this number as `y`. */
export interface Kept {
  readonly inputs: ReadonlyArray<string>
  readonly outputs?: ReadonlyArray<boolean>
}

/** The rule gives, for each input that has a gradient, a function that makes it. */
export const gradient = <A = unknown>(
  kernel: string,
  { inputs, outputs = [] }: Kept,
  rule: (saved: Saved<A>) => { readonly [input: string]: () => tf.Tensor }
): Gradient => ({
  kernel,
  register: () =>
    tf.registerGradient({
      kernelName: kernel,
      inputsToSave: [...inputs],
      outputsToSave: [...outputs],
      gradFunc: (dys, saved, attrs) => {
        const names = [...inputs, "y"]
        return rule({
          dy: Array.isArray(dys) ? dys[0]! : dys,
          kept: Object.fromEntries(saved.map((tensor, index) => [names[index]!, tensor])),
          attrs: attrs as A
        })
      }
    })
})

/** Undoes a broadcast: adds up what came from one element of a tensor of the shape `shape`. */
export const sumTo = (dy: tf.Tensor, shape: ReadonlyArray<number>): tf.Tensor => {
  const axes = tf.backend_util.getReductionAxes([...shape], dy.shape)
  return tf.reshape(axes.length === 0 ? dy : tf.sum(dy, axes), [...shape])
}
