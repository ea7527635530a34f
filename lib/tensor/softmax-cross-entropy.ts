/**
 * The loss of classification against soft targets (labels, smoothed labels, mixtures, a teacher's
 * distribution).
 */
import { tf } from "./tf.ts"

export const SOFTMAX_CROSS_ENTROPY = "SoftmaxCrossEntropy"

/** Logits and targets, `[N, K]` both. Outputs: the loss of each example `[N]`, and its gradient `[N, K]`. */
export type SoftmaxCrossEntropyInputs = { readonly [I in "logits" | "targets"]: tf.Tensor }

/**
 * Mean over the batch of the cross-entropy `-sum_k targets_k * log softmax(logits)_k`, a scalar in float32.
 * @param targets `[N, K]`, each row a distribution (sums to 1; no gradient flows into it)
 * @param logits `[N, K]`
 *
 * Stable for any finite logits (log-sum-exp with the maximum taken out). The gradient is the closed form
 * `(softmax(logits) - targets) / N`; where a backend has the kernel, both come from one operation.
 */
export const softmaxCrossEntropy = (targets: tf.Tensor2D, logits: tf.Tensor2D): tf.Scalar => {
  const isFused = tf.getKernel(SOFTMAX_CROSS_ENTROPY, tf.getBackend()) != null
  const loss = tf.customGrad((input, save) =>
    (isFused ? fused : composed)(targets, input as tf.Tensor2D, save as tf.GradSaveFunc)
  )
  return loss(logits) as tf.Scalar
}

type Differentiated = (
  targets: tf.Tensor2D,
  logits: tf.Tensor2D,
  save: tf.GradSaveFunc
) => {
  readonly value: tf.Tensor
  readonly gradFunc: (dy: tf.Tensor, saved: Array<tf.Tensor>) => tf.Tensor
}

const fused: Differentiated = (targets, logits, save) => {
  const inputs: SoftmaxCrossEntropyInputs = { logits, targets: tf.cast(targets, logits.dtype) }
  const outputs = tf.engine().runKernel(SOFTMAX_CROSS_ENTROPY, inputs, {}) as Array<tf.Tensor>
  const [perExample, slopes] = outputs as [tf.Tensor1D, tf.Tensor2D]
  save([slopes])
  return {
    value: tf.mean(perExample),
    gradFunc: (dy, [slopes]) => tf.mul(slopes!, tf.div(dy, slopes!.shape[0]!))
  }
}

const composed: Differentiated = (targets, logits, save) => {
  save([logits, targets])
  return {
    value: tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1))),
    gradFunc: (dy, saved) => {
      // The targets too are taken from the tape: made inside the loss function, they are gone by now.
      const [kept, wanted] = saved as [tf.Tensor2D, tf.Tensor2D]
      return tf.mul(tf.sub(tf.softmax(kept), wanted), tf.div(dy, kept.shape[0]))
    }
  }
}
