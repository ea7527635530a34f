/**
 * The loss of classification against soft targets (labels, smoothed labels, mixtures, a teacher's
 * distribution).
 */
import { tf } from "./tf.ts"

/**
 * Mean over the batch of the cross-entropy `-sum_k targets_k * log softmax(logits)_k`, a scalar in float32.
 * @param targets `[N, K]`, each row a distribution (sums to 1; no gradient flows into it)
 * @param logits `[N, K]`
 *
 * Stable for any finite logits (log-sum-exp with the maximum taken out). The gradient is the closed form
 * `(softmax(logits) - targets) / N`, which costs one softmax instead of the tape's six nodes.
 */
export const softmaxCrossEntropy = (targets: tf.Tensor2D, logits: tf.Tensor2D): tf.Scalar => {
  const loss = tf.customGrad((input, save) => {
    const scores = input as tf.Tensor2D
    ;(save as tf.GradSaveFunc)([scores, targets])
    const perExample = tf.sum(tf.mul(targets, tf.logSoftmax(scores)), -1)
    return {
      value: tf.neg(tf.mean(perExample)),
      gradFunc: (dy: tf.Tensor, saved: Array<tf.Tensor>) => {
        // The targets too are taken from the tape: made inside the loss function, they are gone by now.
        const [kept, wanted] = saved as [tf.Tensor2D, tf.Tensor2D]
        return tf.mul(tf.sub(tf.softmax(kept), wanted), tf.div(dy, kept.shape[0]))
      }
    }
  })
  return loss(logits) as tf.Scalar
}
