/** What every task that trains a classifier shares: its loss, dropout, and an auxiliary classifier. */
import { binaryCrossEntropy } from "../../losses/binary-cross-entropy.ts"
import { crossEntropy } from "../../losses/cross-entropy.ts"
import type { Classifier } from "../../models/Classifier.ts"
import type { Mode } from "../../nn/Mode.ts"
import type { WeightSpec, WeightTensors } from "../../nn/Weights.ts"
import { tf } from "../../tensor/tf.ts"
import type { Forward } from "../Task.ts"
import { type TrainingParams, usualAuxiliaryWeight } from "../TrainingParams.ts"

export type ClassifierLearning = Pick<TrainingParams, "auxiliaryWeight" | "loss" | "targetThreshold">

export interface ClassifierInputs {
  readonly images: tf.Tensor
  readonly targets: tf.Tensor
  /** `[N, F]`: what dropout makes of the features; there where the classifier drops some. */
  readonly kept?: tf.Tensor
  /** `[N, B]`: what stochastic depth makes of branches; there where it is wanted. */
  readonly keptBlocks?: tf.Tensor
  /** How much a teacher counts, a scalar; there where that changes. */
  readonly teacherShare?: tf.Tensor
}

/** The classifier's weights; those of an auxiliary classifier that does not learn are frozen. */
export const learnedWeights = (
  { auxiliary, weights }: Classifier,
  { auxiliaryWeight }: ClassifierLearning
): ReadonlyArray<WeightSpec> =>
  auxiliary === undefined || auxiliaryWeight !== 0
    ? weights
    : weights.map((spec) => (auxiliary.weights.has(spec.name) ? { ...spec, frozen: true } : spec))

/** What the logits `[N, K]` lose against the targets `[N, K]`: a scalar, mean over the batch. */
export const lossAgainst = (
  targets: tf.Tensor2D,
  logits: tf.Tensor2D,
  { loss = "cross-entropy", targetThreshold = null }: ClassifierLearning
): tf.Scalar => {
  if (loss === "cross-entropy") return crossEntropy(targets, logits)
  const wanted = targetThreshold === null ? targets : tf.cast(tf.greater(targets, targetThreshold), "float32")
  return binaryCrossEntropy(wanted as tf.Tensor2D, logits, loss === "binary-sum" ? "sum" : "mean")
}

/** `loss(logits) + weight * loss(auxiliary logits)`, where there is an auxiliary classifier that learns. */
export const classifierForward = (options: {
  readonly classifier: Classifier
  readonly learning: ClassifierLearning
  readonly weights: WeightTensors
  readonly inputs: ClassifierInputs
  readonly mode: Mode
  readonly lossOf: (logits: tf.Tensor2D) => tf.Scalar
}): Forward<"logits"> => {
  const { classifier, inputs, lossOf, weights } = options
  const { auxiliaryWeight = usualAuxiliaryWeight } = options.learning
  const images = inputs.images as tf.Tensor4D
  const mode = withKept(options.mode, inputs)
  if (classifier.auxiliary === undefined || auxiliaryWeight === 0) {
    const logits = classifier.apply(weights, images, mode)
    return { loss: lossOf(logits), outputs: { logits } }
  }
  const { auxiliary, logits } = classifier.auxiliary.apply(weights, images, mode)
  const beside = tf.mul<tf.Scalar>(lossOf(auxiliary), auxiliaryWeight)
  return { loss: tf.add(lossOf(logits), beside), outputs: { logits } }
}

const withKept = (mode: Mode, { kept, keptBlocks }: ClassifierInputs): Mode =>
  mode.kind === "training"
    ? { ...mode, kept: kept as tf.Tensor2D | undefined, keptBlocks: keptBlocks as tf.Tensor2D | undefined }
    : mode
