/** Classification: cross-entropy between targets and the network's logits. */
import { crossEntropy } from "../../losses/cross-entropy.ts"
import { countTopK } from "../../metrics/top-k.ts"
import type { Classifier } from "../../models/Classifier.ts"
import type { tf } from "../../tensor/tf.ts"
import type { Task } from "../Task.ts"

export type ClassificationInput = "images" | "targets"
export type ClassificationTask = Task<ClassificationInput, "logits">

/** `images` `[N, H, W, C]` and `targets` `[N, K]` → `logits` `[N, K]` */
export const classificationTask = (classifier: Classifier): ClassificationTask => ({
  weights: classifier.weights,
  forward: (weights, { images, targets }, mode) => {
    const logits = classifier.apply(weights, images as tf.Tensor4D, mode)
    return { loss: crossEntropy(targets as tf.Tensor2D, logits), outputs: { logits } }
  },
  measure: ({ logits }, { targets }) => {
    const labels = likeliestClasses(targets as Float32Array, classifier.numClasses)
    return { top1: { total: countTopK(logits as Float32Array, labels, 1), weight: labels.length } }
  }
})

/** The class with the largest target in each row of `[N, K]`: the label, also under label smoothing. */
export const likeliestClasses = (targets: Float32Array, numClasses: number): Int32Array =>
  Int32Array.from({ length: targets.length / numClasses }, (_, example) => {
    const row = targets.subarray(example * numClasses, (example + 1) * numClasses)
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)))
  })
