/**
 * Distillation: the teacher runs inside the student's step, on the very same augmented images ("consistent
 * teaching"), in evaluation mode and outside the gradient. Logits prepared beforehand would see other crops.
 */
import { distillationLoss } from "../../losses/distillation.ts"
import type { Classifier } from "../../models/Classifier.ts"
import { evaluation } from "../../nn/Mode.ts"
import type { WeightTensors } from "../../nn/Weights.ts"
import type { tf } from "../../tensor/tf.ts"
import type { DistillationParams } from "../DistillationParams.ts"
import { type ClassificationTask, classificationTask } from "./classification.ts"

export interface DistillationOptions extends DistillationParams {
  readonly student: Classifier
  readonly teacher: Classifier
  /** Frozen: read by every step, never assigned. */
  readonly teacherWeights: WeightTensors
}

/** Inputs and outputs are those of classification; the logits given back are the student's. */
export const distillationTask = (options: DistillationOptions): ClassificationTask => ({
  ...classificationTask(options.student),
  forward: (weights, { images, targets }, mode) => {
    const logits = options.student.apply(weights, images as tf.Tensor4D, mode)
    const teacherLogits = options.teacher.apply(options.teacherWeights, images as tf.Tensor4D, evaluation)
    const loss = distillationLoss({
      targets: targets as tf.Tensor2D,
      logits,
      teacherLogits,
      temperature: options.temperature,
      combination: options.combination
    })
    return { loss, outputs: { logits } }
  }
})
