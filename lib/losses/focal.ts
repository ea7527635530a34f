/**
 * The focal loss of dense detection (Lin et al., "Focal Loss for Dense Object Detection", arXiv 1708.02002,
 * eq. 5): cross-entropy of independent sigmoids, each example weighted down by how well it is classified
 * already, so that thousands of easy background anchors do not drown the few that matter.
 */
import { asColumn, oneHotRows } from "../tensor/one-hot.ts"
import { tf } from "../tensor/tf.ts"
import { countPositives } from "./positives.ts"

export interface FocalInputs {
  /** `[N, A, K]` */
  readonly logits: tf.Tensor3D
  /** `[N, A]` int32: -2 ignored, -1 background, else the class 0…K-1. No gradient flows into it. */
  readonly labels: tf.Tensor2D
  /** Weight of positives; negatives have 1 - alpha. 0.25. */
  readonly alpha?: number
  /** How fast easy examples fade; 0 is plain cross-entropy. 2. */
  readonly gamma?: number
}

/**
 * A scalar: the sum over all anchors that are not ignored and all classes, divided by the number of positive
 * anchors in the batch (at least 1). Natural logarithm. The gradient is a closed form, finite for any finite
 * logits.
 */
export const focalLoss = ({ logits, labels, alpha = 0.25, gamma = 2 }: FocalInputs): tf.Scalar => {
  const loss = tf.customGrad((input, save) => {
    const scores = input as tf.Tensor3D
    ;(save as tf.GradSaveFunc)([scores, labels])
    const { weights, miss, entropy } = termsOf(scores, labels, alpha)
    return {
      value: tf.sum(tf.mul(weights, tf.mul(power(miss, gamma), entropy))),
      gradFunc: (dy: tf.Tensor, saved: Array<tf.Tensor>) => {
        const [kept, marks] = saved as [tf.Tensor3D, tf.Tensor2D]
        const terms = termsOf(kept, marks, alpha)
        // With z the signed logit, m = sigmoid(-z), e = softplus(-z):
        // d(m^gamma e)/dz = -m^gamma (gamma (1 - m) e + m).
        const entropy = tf.minimum(terms.entropy, ENTROPY_MAX)
        const slope = tf.add(tf.mul(tf.mul(terms.hit, entropy), gamma), terms.miss)
        const scale = tf.mul(tf.mul(terms.weights, terms.signs), tf.neg(dy))
        return tf.mul(tf.mul(scale, power(terms.miss, gamma)), slope)
      }
    }
  })
  return loss(logits) as tf.Scalar
}

/**
 * From here on hit × entropy is 0 in float32. Without the bound TensorFlow's optimizer, which multiplies by
 * gamma first, makes infinity × 0 of it.
 */
const ENTROPY_MAX = 200

/** All `[N, A, K]`. */
interface Terms {
  /** 1 for the anchor's own class, -1 for the others. */
  readonly signs: tf.Tensor
  /** alpha or 1 - alpha, over the number of positives; 0 at ignored anchors. */
  readonly weights: tf.Tensor
  /** The probability given to what is so, and to what is not; both exact near 0. */
  readonly hit: tf.Tensor
  readonly miss: tf.Tensor
  /** -log(hit) */
  readonly entropy: tf.Tensor
}

const termsOf = (logits: tf.Tensor3D, labels: tf.Tensor2D, alpha: number): Terms => {
  const own = oneHotRows(labels, logits.shape[2])
  const signs = tf.sub(tf.mul(own, 2), 1)
  const counted = tf.cast(tf.greater(asColumn(labels), -2), "float32")
  const share = tf.div(counted, countPositives(labels))
  const weights = tf.mul(tf.add(tf.mul(own, 2 * alpha - 1), 1 - alpha), share)
  const signed = tf.mul(logits, signs)
  const opposite = tf.neg(signed)
  return {
    signs,
    weights,
    hit: tf.sigmoid(signed),
    miss: tf.sigmoid(opposite),
    entropy: tf.softplus(opposite)
  }
}

const power = (base: tf.Tensor, exponent: number): tf.Tensor =>
  exponent === 2 ? tf.square(base) : tf.pow(base, exponent)
