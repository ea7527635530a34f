/**
 * The loss of box regression: squared near 0, linear beyond (Huber's, in Girshick's form "smooth L1", Fast
 * R-CNN, arXiv 1504.08083 eq. 3), on positive anchors alone.
 */
import { asColumn } from "../tensor/one-hot.ts"
import { tf } from "../tensor/tf.ts"
import { countPositives } from "./positives.ts"

export interface HuberInputs {
  /** What the network says, `[N, A, 4]`. */
  readonly deltas: tf.Tensor3D
  /** What it should say, `[N, A, 4]`; finite everywhere. No gradient flows into it. */
  readonly targets: tf.Tensor3D
  /** `[N, A]` int32, as in the focal loss: only anchors with a class (0 and more) count. */
  readonly labels: tf.Tensor2D
  /** Above 0: errors up to it are squared. 1/9, GluonCV's and Detectron's for anchors. */
  readonly beta?: number
}

/**
 * A scalar: the sum over positive anchors and four deltas of `e² / (2 beta)` for errors `e` below beta, else
 * of `|e| - beta / 2`; divided by the number of positive anchors (at least 1), as the focal loss is.
 */
export const huberLoss = ({ deltas, targets, labels, beta = 1 / 9 }: HuberInputs): tf.Scalar => {
  const loss = tf.customGrad((input, save) => {
    const given = input as tf.Tensor3D
    ;(save as tf.GradSaveFunc)([given, targets, labels])
    const size = tf.abs(tf.sub(given, targets))
    const curved = tf.minimum(size, beta)
    const terms = tf.div(tf.mul(curved, tf.sub(size, tf.mul(curved, 0.5))), beta)
    return {
      value: tf.sum(tf.mul(terms, shareOf(labels))),
      gradFunc: (dy: tf.Tensor, saved: Array<tf.Tensor>) => {
        const [kept, wanted, marks] = saved as [tf.Tensor3D, tf.Tensor3D, tf.Tensor2D]
        const slope = tf.div(tf.clipByValue(tf.sub(kept, wanted), -beta, beta), beta)
        return tf.mul(slope, tf.mul(shareOf(marks), dy))
      }
    }
  })
  return loss(deltas) as tf.Scalar
}

/** `[N, A, 1]`: what a positive anchor weighs, 0 for the others. */
const shareOf = (labels: tf.Tensor2D): tf.Tensor =>
  tf.div(tf.cast(tf.greaterEqual(asColumn(labels), 0), "float32"), countPositives(labels))
