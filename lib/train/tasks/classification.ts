/** Classification: what the network's logits lose against the targets. */
import { countTopK } from "../../metrics/top-k.ts"
import type { Classifier } from "../../models/Classifier.ts"
import type { tf } from "../../tensor/tf.ts"
import type { Task } from "../Task.ts"
import {
  type ClassifierInputs,
  type ClassifierLearning,
  classifierForward,
  learnedWeights,
  lossAgainst
} from "./classifier-forward.ts"

export type ClassificationInput = "images" | "targets"
export type ClassificationTask = Task<ClassificationInput, "logits">

/** `images` `[N, H, W, C]` and `targets` `[N, K]` → `logits` `[N, K]` */
export const classificationTask = (
  classifier: Classifier,
  learning: ClassifierLearning = {}
): ClassificationTask => ({
  weights: learnedWeights(classifier, learning),
  forward: (weights, inputs: ClassifierInputs, mode) => {
    const lossOf = (logits: tf.Tensor2D) => lossAgainst(inputs.targets as tf.Tensor2D, logits, learning)
    return classifierForward({ classifier, learning, weights, inputs, mode, lossOf })
  },
  measure: ({ logits }, { targets }) => {
    const labels = likeliestClasses(targets as Float32Array, classifier.numClasses)
    return { top1: { total: countTopK(logits as Float32Array, labels, 1), weight: labels.length } }
  }
})

/**
 * The class with the largest target in each row of `[N, K]`: the label, also under label smoothing; of a
 * mixed image the label with the larger share (of two equal ones the lower class).
 */
export const likeliestClasses = (targets: Float32Array, numClasses: number): Int32Array =>
  Int32Array.from({ length: targets.length / numClasses }, (_, example) => {
    const row = targets.subarray(example * numClasses, (example + 1) * numClasses)
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)))
  })
