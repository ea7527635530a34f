/** Folds that the WebAssembly backend gets wrong for nothing to fold, or for axes counted from the end. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type PortableKernel, portableKernel } from "./PortableKernel.ts"

interface FoldAttrs {
  readonly axis: number | Array<number>
  readonly keepDims: boolean
}

/** What nothing folds to; the backend's own leaves whatever was in memory. */
const fold = (name: string, ofNothing: number): PortableKernel =>
  portableKernel<{ x: tf.Tensor }, FoldAttrs>(name, ({ x }, attrs, own) => {
    if (x.size > 0) return own({ x }, attrs)
    const axes = tf.util.parseAxisParam(attrs.axis, x.shape)
    const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length))
    const left = x.shape.filter((_, axis) => !axes.includes(axis))
    return tf.fill(attrs.keepDims ? kept : left, ofNothing, x.dtype as "float32")
  })

/** The backend's own reads outside of its memory for a negative axis. */
const scan = (name: string): PortableKernel =>
  portableKernel<{ x: tf.Tensor }, { axis: number }>(name, ({ x }, attrs, own) => {
    const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape)
    return own({ x }, { ...attrs, axis })
  })

export const reduceKernels: ReadonlyArray<PortableKernel> = [
  fold("All", 1),
  fold("Any", 0),
  fold("Prod", 1),
  scan("Cumsum"),
  scan("Cumprod")
]
