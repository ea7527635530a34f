/**
 * Classification as K independent questions (Wightman, Touvron, Jégou: "ResNet strikes back", arXiv
 * 2110.00476): a sigmoid and a binary cross-entropy for each class.
 */
import { tf } from "../tensor/tf.ts"

/** How the classes of an example become one number; over the batch it is always the mean. */
export type ClassReduction = "sum" | "mean"

/**
 * A scalar, natural logarithm: over classes, the sum or the mean of `-t log p - (1 - t) log(1 - p)` with
 * `p = sigmoid(logits)`; the mean over the batch. Its gradient is `(p - t) / N`, by K smaller for a mean.
 * @param targets `[N, K]`, each 0…1: smoothed and mixed ones too. No gradient flows into them.
 * @param logits `[N, K]`, computed with in float32 however large
 */
export const binaryCrossEntropy = (
  targets: tf.Tensor2D,
  logits: tf.Tensor2D,
  reduction: ClassReduction
): tf.Scalar => {
  const [numExamples, numClasses] = logits.shape
  const share = 1 / (numExamples * (reduction === "mean" ? numClasses : 1))
  const loss = tf.customGrad((input, save) => {
    const scores = input as tf.Tensor2D
    ;(save as tf.GradSaveFunc)([scores, targets])
    const entropies = tf.sub(tf.softplus(scores), tf.mul(targets, scores))
    return {
      value: tf.mul(tf.sum(entropies), share),
      gradFunc: (dy: tf.Tensor, saved: Array<tf.Tensor>) => {
        const [kept, wanted] = saved as [tf.Tensor2D, tf.Tensor2D]
        return tf.mul(tf.sub(tf.sigmoid(kept), wanted), tf.mul(dy, share))
      }
    }
  })
  return loss(logits) as tf.Scalar
}
