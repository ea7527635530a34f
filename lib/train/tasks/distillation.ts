/**
 * Distillation: the teacher runs inside the student's step, on the very same augmented images ("consistent
 * teaching"), in evaluation mode and outside the gradient. Logits prepared beforehand would see other crops.
 */
import { distillationLoss } from "../../losses/distillation.ts"
import type { Classifier } from "../../models/Classifier.ts"
import { evaluation } from "../../nn/Mode.ts"
import type { WeightTensors } from "../../nn/Weights.ts"
import { tf } from "../../tensor/tf.ts"
import type { DistillationParams } from "../DistillationParams.ts"
import { type ClassificationTask, classificationTask } from "./classification.ts"
import {
  type ClassifierInputs,
  type ClassifierLearning,
  classifierForward,
  lossAgainst
} from "./classifier-forward.ts"

export interface DistillationOptions extends Pick<DistillationParams, "temperature" | "combination"> {
  readonly student: Classifier
  readonly teacher: Classifier
  /** Frozen: read by every step, never assigned. */
  readonly teacherWeights: WeightTensors
  readonly learning?: ClassifierLearning
}

/**
 * Inputs and outputs are those of classification; the logits given back are the student's. An auxiliary
 * classifier of the student learns from the teacher too.
 */
export const distillationTask = (options: DistillationOptions): ClassificationTask => ({
  ...classificationTask(options.student, options.learning),
  forward: (weights, inputs: ClassifierInputs, mode) => {
    const teacherLogits = constantLogits(options, inputs.images as tf.Tensor4D)
    const { combination, learning = {}, student, temperature } = options
    const targets = inputs.targets as tf.Tensor2D
    const teacherShare = inputs.teacherShare as tf.Scalar | undefined
    const lossOf = (logits: tf.Tensor2D) => {
      const hard = lossAgainst(targets, logits, learning)
      const taught = { teacherLogits, temperature, combination, teacherShare }
      return distillationLoss({ hard, targets, logits, ...taught })
    }
    return classifierForward({ classifier: student, learning, weights, inputs, mode, lossOf })
  }
})

/**
 * The teacher's logits `[N, K]`, off the tape: no gradient, and its activations are freed as soon as it is
 * done.
 */
const constantLogits = (
  { teacher, teacherWeights }: DistillationOptions,
  images: tf.Tensor4D
): tf.Tensor2D => {
  const run = tf.customGrad((pixels) => ({
    value: teacher.apply(teacherWeights, pixels as tf.Tensor4D, evaluation),
    gradFunc: () => tf.zerosLike(pixels as tf.Tensor4D)
  }))
  return run(images) as tf.Tensor2D
}
