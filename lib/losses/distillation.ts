/**
 * Distillation (Hinton et al. 2015): the student learns from the labels and from the teacher's probabilities,
 * both softened by a temperature T. T² keeps the size of the soft gradient independent of T.
 */
import { softmaxCrossEntropy } from "../tensor/softmax-cross-entropy.ts"
import { tf } from "../tensor/tf.ts"

/**
 * - `sum`: CE + T² KL, the paper's (§5.3)
 * - `weighted`: w CE + (1 - w) T² KL, GluonCV's (its w is 0.5)
 */
export type Combination =
  | { readonly form: "sum" }
  | { readonly form: "weighted"; readonly hardWeight: number }

export interface DistillationInputs {
  /** `[N, K]`, each row sums to 1 */
  readonly targets: tf.Tensor2D
  /** The student's, `[N, K]` */
  readonly logits: tf.Tensor2D
  /** `[N, K]`; constants: no gradient flows into the teacher. */
  readonly teacherLogits: tf.Tensor2D
  readonly temperature: number
  readonly combination: Combination
}

/** A scalar, mean over the batch, natural logarithms. */
export const distillationLoss = (inputs: DistillationInputs): tf.Scalar => {
  const hard = softmaxCrossEntropy(inputs.targets, inputs.logits)
  const soft = tf.mul(softenedDivergence(inputs), inputs.temperature ** 2)
  if (inputs.combination.form === "sum") return tf.add(hard, soft)
  const { hardWeight } = inputs.combination
  return tf.add(tf.mul(hard, hardWeight), tf.mul(soft, 1 - hardWeight))
}

/** KL(teacher ‖ student) of the softened probabilities: their cross-entropy less the teacher's entropy. */
const softenedDivergence = ({ logits, teacherLogits, temperature }: DistillationInputs): tf.Scalar => {
  const teacherLog = tf.logSoftmax(tf.div(teacherLogits, temperature)) as tf.Tensor2D
  const teacher = tf.exp(teacherLog)
  const crossEntropy = softmaxCrossEntropy(teacher, tf.div(logits, temperature))
  const negativeEntropy = tf.mean(tf.sum(tf.mul(teacher, teacherLog), 1)) as tf.Scalar
  return tf.add(crossEntropy, negativeEntropy)
}
