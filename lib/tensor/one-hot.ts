/** Labels as rows of zeros with a single 1. */
import { tf } from "./tf.ts"

/**
 * int32 labels `[...]` → float32 `[..., K]`: 1 at the label, all 0 where it is not in 0…K-1. tfjs's own wants
 * two classes at least; a detector of one kind of thing has one.
 */
export const oneHotRows = (labels: tf.Tensor, numClasses: number): tf.Tensor =>
  tf.cast(tf.equal(asColumn(labels), tf.range(0, numClasses, 1, "int32")), "float32")

/** `[...]` → `[..., 1]`; a reshape, because the native runtime has no kernel for tfjs's `expandDims`. */
export const asColumn = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [...x.shape, 1])
