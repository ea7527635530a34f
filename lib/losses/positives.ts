/** What the losses of a detector divide by. */
import { tf } from "../tensor/tf.ts"

/**
 * How many anchors of the batch have an object (labels `[N, A]` of 0 and more), as a float scalar; at least
 * 1, so that images without objects have a loss too.
 */
export const countPositives = (labels: tf.Tensor2D): tf.Scalar =>
  tf.maximum(tf.sum(tf.cast(tf.greaterEqual(labels, 0), "float32")), 1) as tf.Scalar
