/** Gradients of sums and products along an axis. tfjs's own are wrong for most axes. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Gradient, gradient } from "./Gradient.ts"

interface ScanAttrs {
  readonly axis: number
  readonly exclusive: boolean
  readonly reverse: boolean
}

const cumulativeSum = gradient<ScanAttrs>("Cumsum", { inputs: [] }, ({ attrs, dy }) => ({
  x: () => tf.cumsum(dy, attrs.axis, attrs.exclusive, !attrs.reverse)
}))

/** Through a division by x, as TensorFlow's: not for products with a zero in them. */
const cumulativeProduct = gradient<ScanAttrs>(
  "Cumprod",
  { inputs: ["x"], outputs: [true] },
  ({ attrs, dy, kept }) => ({
    x: () => tf.div(tf.cumsum(tf.mul(dy, kept.y!), attrs.axis, attrs.exclusive, !attrs.reverse), kept.x!)
  })
)

/** The product of all others: of those before it and those after it, which holds for zeros too. */
const product = gradient<{ axis?: number | Array<number> }>(
  "Prod",
  { inputs: ["x"] },
  ({ attrs, dy, kept }) => {
    const x = kept.x!
    return {
      x: () => {
        const all = x.shape.map((_, axis) => axis)
        const folded = tf.util.parseAxisParam(attrs.axis ?? all, x.shape)
        const order = [...all.filter((axis) => !folded.includes(axis)), ...folded]
        const ordered = tf.transpose(x, order)
        const count = folded.reduce((product, axis) => product * x.shape[axis]!, 1)
        const rows = tf.reshape(ordered, [-1, count])
        const others = tf.mul(tf.cumprod(rows, 1, true), tf.cumprod(rows, 1, true, true))
        const gradients = tf.mul(others, tf.reshape(dy, [-1, 1]))
        return tf.transpose(tf.reshape(gradients, ordered.shape), inverse(order))
      }
    }
  }
)

/** The order of axes that undoes another. */
const inverse = (order: ReadonlyArray<number>): Array<number> => order.map((_, axis) => order.indexOf(axis))

export const scan: ReadonlyArray<Gradient> = [cumulativeSum, cumulativeProduct, product]
