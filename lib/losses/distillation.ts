/**
 * Distillation (Hinton et al. 2015): the student learns from the labels and from the teacher's probabilities,
 * both softened by a temperature T. T² keeps the size of the soft gradient independent of T. All of it is
 * computed in float32: at T = 20 a cross-entropy alone would be T² ln 1000 = 2763.
 */
import { softmaxCrossEntropy } from "../tensor/softmax-cross-entropy.ts"
import { tf } from "../tensor/tf.ts"
import { decoupledDivergence } from "./decoupled-divergence.ts"

/**
 * How labels and teacher come together; "hard" is the loss against the labels. The divergence KL(teacher ‖
 * student) stands for the paper's cross-entropy: it is that less the teacher's entropy, which is a constant
 * (T² times it, about T² ln K), so gradients are the same and only the shown loss is smaller.
 * - `sum`: hard + T² KL, the paper's (§5.3)
 * - `weighted`: w hard + (1 - w) T² KL, GluonCV's (its w is 0.5); w = 0 is the teacher alone
 * - `decoupled`: hard + T² times the {@link decoupledDivergence}, which is KL for alpha = 1 and beta = 1 - p'
 */
export type Combination =
  | { readonly form: "sum" }
  | { readonly form: "weighted"; readonly hardWeight: number }
  | { readonly form: "decoupled"; readonly alpha: number; readonly beta: number }

export interface DistillationInputs {
  /** A scalar: the student's loss against the labels. */
  readonly hard: tf.Scalar
  /** `[N, K]`, each row sums to 1; `decoupled` takes the labelled class from it. */
  readonly targets: tf.Tensor2D
  /** The student's, `[N, K]` */
  readonly logits: tf.Tensor2D
  /** `[N, K]`; constants: no gradient flows into the teacher. */
  readonly teacherLogits: tf.Tensor2D
  readonly temperature: number
  readonly combination: Combination
  /** The teacher's part counts so much, 0…1; absent: fully. */
  readonly teacherShare?: tf.Scalar | undefined
}

/** A scalar, mean over the batch, natural logarithms. */
export const distillationLoss = (inputs: DistillationInputs): tf.Scalar => {
  const { combination, hard } = inputs
  const whole = tf.mul<tf.Scalar>(divergence(inputs), inputs.temperature ** 2)
  const soft = inputs.teacherShare === undefined ? whole : tf.mul<tf.Scalar>(whole, inputs.teacherShare)
  if (combination.form !== "weighted") return tf.add(hard, soft)
  const { hardWeight } = combination
  if (hardWeight === 0) return soft
  return tf.add(tf.mul(hard, hardWeight), tf.mul(soft, 1 - hardWeight))
}

const divergence = (inputs: DistillationInputs): tf.Scalar => {
  const { combination, targets, temperature } = inputs
  const logits = tf.div<tf.Tensor2D>(inputs.logits, temperature)
  const teacherLogits = tf.div<tf.Tensor2D>(inputs.teacherLogits, temperature)
  return combination.form === "decoupled"
    ? decoupledDivergence({ ...combination, targets, logits, teacherLogits })
    : softenedDivergence(logits, teacherLogits)
}

/** KL(teacher ‖ student) of the softened probabilities: their cross-entropy less the teacher's entropy. */
const softenedDivergence = (logits: tf.Tensor2D, teacherLogits: tf.Tensor2D): tf.Scalar => {
  const teacherLog = tf.logSoftmax(teacherLogits) as tf.Tensor2D
  const teacher = tf.exp(teacherLog)
  const crossEntropy = softmaxCrossEntropy(teacher, logits)
  const negativeEntropy = tf.mean(tf.sum(tf.mul(teacher, teacherLog), 1)) as tf.Scalar
  return tf.add(crossEntropy, negativeEntropy)
}
