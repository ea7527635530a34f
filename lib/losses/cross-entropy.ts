/** Cross-entropy of classification. */
import { softmaxCrossEntropy } from "../tensor/softmax-cross-entropy.ts"
import type { tf } from "../tensor/tf.ts"

/**
 * Targets `[N, K]` (rows sum to 1) and logits `[N, K]` → a scalar: mean over the batch, natural logarithm.
 */
export const crossEntropy = (targets: tf.Tensor2D, logits: tf.Tensor2D): tf.Scalar =>
  softmaxCrossEntropy(targets, logits)
