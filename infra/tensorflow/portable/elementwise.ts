/** Operations on single elements that the WebAssembly backend gets wrong for NaN, integers or booleans. */
import { tf } from "../../../lib/tensor/tf.ts"
import { type PortableKernel, portableKernel } from "./PortableKernel.ts"

/** Clamping makes a bound of NaN, which would hide that something went wrong. */
const keepNaN = (x: tf.Tensor, y: tf.Tensor): tf.Tensor => tf.where(tf.isNaN(x), x, y)

/** The backend's own takes integers for the bits of floats. */
const clip = portableKernel<{ x: tf.Tensor }, { clipValueMin: number; clipValueMax: number }>(
  "ClipByValue",
  ({ x }, attrs, own) => {
    if (x.dtype === "float32") return keepNaN(x, own({ x }, attrs))
    const bound = (value: number) => tf.scalar(value, x.dtype as "int32")
    return tf.minimum(tf.maximum(x, bound(attrs.clipValueMin)), bound(attrs.clipValueMax))
  }
)

const relu6 = portableKernel<{ x: tf.Tensor }, object>("Relu6", ({ x }, attrs, own) =>
  keepNaN(x, own({ x }, attrs))
)

/** The backend's own loses a NaN on the right. */
const extremum = (name: string): PortableKernel =>
  portableKernel<{ a: tf.Tensor; b: tf.Tensor }, object>(name, ({ a, b }, attrs, own) => {
    const chosen = own({ a, b }, attrs)
    if (b.dtype !== "float32") return chosen
    return tf.where(tf.broadcastTo(tf.isNaN(b), chosen.shape), tf.broadcastTo(b, chosen.shape), chosen)
  })

/** The backend's own keeps the lowest byte of what is cast to bool. */
const cast = portableKernel<{ x: tf.Tensor }, { dtype: tf.DataType }>("Cast", ({ x }, attrs, own) =>
  attrs.dtype === "bool" && x.dtype !== "bool"
    ? tf.notEqual(x, tf.scalar(0, x.dtype as "int32"))
    : own({ x }, attrs)
)

export const elementwiseKernels: ReadonlyArray<PortableKernel> = [
  clip,
  relu6,
  extremum("Maximum"),
  extremum("Minimum"),
  cast
]
