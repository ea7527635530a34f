/**
 * Decoupled distillation (Zhao et al., "Decoupled Knowledge Distillation", arXiv 2203.08679): the divergence
 * of the teacher's probabilities from the student's falls into how sure both are of the labelled class, and
 * how they share out the rest among the other classes; each gets a weight of its own.
 */
import { oneHotRows } from "../tensor/one-hot.ts"
import { tf } from "../tensor/tf.ts"

export interface DecoupledInputs {
  /** `[N, K]`: the labelled class is the one with the largest target, mixed, of the larger share. */
  readonly targets: tf.Tensor2D
  /** The student's and the teacher's over the temperature, `[N, K]`, K at least 2. */
  readonly logits: tf.Tensor2D
  readonly teacherLogits: tf.Tensor2D
  /** Of the labelled class against all others. */
  readonly alpha: number
  /** Of the other classes among themselves. */
  readonly beta: number
}

/**
 * A scalar, mean over the batch, natural logarithms:
 * `alpha KL([p, 1 - p]) + beta KL(q)`, teacher ‖ student, with p the labelled class's probability and q
 * those of the others given that it is none of that. No gradient flows into teacher and targets.
 *
 * With p', q' the teacher's, the gradient is `alpha (p - p') (label - q) + beta (q - q')`, over N.
 */
export const decoupledDivergence = (inputs: DecoupledInputs): tf.Scalar => {
  const { alpha, beta, targets, teacherLogits } = inputs
  const loss = tf.customGrad((input, save) => {
    const scores = input as tf.Tensor2D
    const label = oneHotRows(tf.argMax(targets, 1), scores.shape[1]) as tf.Tensor2D
    ;(save as tf.GradSaveFunc)([scores, teacherLogits, label])
    const [student, teacher] = [partsOf(scores, label), partsOf(teacherLogits, label)]
    const sure = tf.add(
      divergence(teacher.logLabel, student.logLabel),
      divergence(teacher.logRest, student.logRest)
    )
    const shared = divergence(teacher.logOthers, student.logOthers)
    return {
      value: tf.mean(tf.add(tf.mul(sure, alpha), tf.mul(shared, beta))),
      gradFunc: (dy: tf.Tensor, saved: Array<tf.Tensor>) => {
        const [kept, theirs, mask] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D]
        const [own, wanted] = [partsOf(kept, mask), partsOf(theirs, mask)]
        const excess = tf.mul(tf.sub(tf.exp(own.logLabel), tf.exp(wanted.logLabel)), alpha)
        const ofLabel = tf.mul(tf.sub(mask, own.others), excess)
        const ofOthers = tf.mul(tf.sub(own.others, wanted.others), beta)
        return tf.mul(tf.add(ofLabel, ofOthers), tf.div(dy, kept.shape[0]))
      }
    }
  })
  return loss(inputs.logits) as tf.Scalar
}

/** Of one network. */
interface Parts {
  /** `[N, 1]`: log p, log(1 - p) */
  readonly logLabel: tf.Tensor
  readonly logRest: tf.Tensor
  /** `[N, K]`: q, 0 at the label, and its logarithm, where it is not 0. */
  readonly others: tf.Tensor
  readonly logOthers: tf.Tensor
}

/** @param label `[N, K]`, rows of zeros with a single 1 */
const partsOf = (logits: tf.Tensor2D, label: tf.Tensor2D): Parts => {
  const all = tf.logSoftmax(logits)
  const logOthers = tf.logSoftmax(tf.sub(logits, tf.mul(label, OUT_OF_REACH)))
  const others = tf.exp(logOthers)
  return {
    logLabel: tf.sum(tf.mul(label, all), 1, true),
    // The two differ by log(1 - p), at every other class alike.
    logRest: tf.sum(tf.mul(others, tf.sub(all, logOthers)), 1, true),
    others,
    logOthers
  }
}

/** What is taken off the label's logit, so that the softmax of the others leaves it nothing. */
const OUT_OF_REACH = 1e6

/** `[N, 1]`: the sum of p log(p / q) */
const divergence = (log: tf.Tensor, ofStudent: tf.Tensor): tf.Tensor =>
  tf.sum(tf.mul(tf.exp(log), tf.sub(log, ofStudent)), 1, true)
