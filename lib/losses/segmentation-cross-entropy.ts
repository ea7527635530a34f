/** Cross-entropy of segmentation: one classification per pixel that has a label. */
import { oneHotRows } from "../tensor/one-hot.ts"
import { tf } from "../tensor/tf.ts"

/**
 * A scalar: the mean of `-log softmax(logits)[label]` over the labelled pixels of the batch (0 without any),
 * natural logarithm.
 * @param labels `[N, H, W]` int32; pixels outside of 0…K-1 (255, negative ones) are ignored. No gradient
 * flows into it.
 * @param logits `[N, H, W, K]`, K at most 255
 *
 * The gradient is the closed form `(softmax(logits) - one-hot) / labelled pixels`, 0 at ignored ones.
 */
export const segmentationCrossEntropy = (labels: tf.Tensor3D, logits: tf.Tensor4D): tf.Scalar => {
  const loss = tf.customGrad((input, save) => {
    const scores = input as tf.Tensor4D
    ;(save as tf.GradSaveFunc)([scores, labels])
    const { rows, own, weights } = pixelsOf(scores, labels)
    const perPixel = tf.sum(tf.mul(own, tf.logSoftmax(rows)), -1, true)
    return {
      value: tf.neg(tf.sum(tf.mul(perPixel, weights))),
      gradFunc: (dy: tf.Tensor, saved: Array<tf.Tensor>) => {
        const [kept, marks] = saved as [tf.Tensor4D, tf.Tensor3D]
        const pixels = pixelsOf(kept, marks)
        const error = tf.sub(tf.softmax(pixels.rows), pixels.own)
        return tf.reshape(tf.mul(error, tf.mul(pixels.weights, dy)), kept.shape)
      }
    }
  })
  return loss(logits) as tf.Scalar
}

/** P pixels of the whole batch. */
interface Pixels {
  /** Logits `[P, K]` */
  readonly rows: tf.Tensor2D
  /** `[P, K]`: 1 at the label; no 1 at ignored pixels. */
  readonly own: tf.Tensor2D
  /** `[P, 1]`: one over the number of labelled pixels, 0 at ignored ones. */
  readonly weights: tf.Tensor2D
}

const pixelsOf = (logits: tf.Tensor4D, labels: tf.Tensor3D): Pixels => {
  const numClasses = logits.shape[3]
  const rows = tf.reshape(logits, [-1, numClasses]) as tf.Tensor2D
  const own = oneHotRows(tf.reshape(labels, [-1]), numClasses) as tf.Tensor2D
  const labelled = tf.sum(own, -1, true)
  return { rows, own, weights: tf.div(labelled, tf.maximum(tf.sum(labelled), 1)) as tf.Tensor2D }
}
