/** Everything an evaluation says of a classifier. */
import { type ClassMetrics, confusionMatrix, perClassMetrics } from "./confusion-matrix.ts"
import { meanCrossEntropy } from "./cross-entropy.ts"
import { topK } from "./top-k.ts"

export interface ClassificationMetrics {
  /** Fractions 0…1; top-5 of fewer than five classes is 1. */
  readonly top1: number
  readonly top5: number
  /** Mean cross-entropy, natural logarithm. */
  readonly loss: number
  readonly perClass: ReadonlyArray<ClassMetrics>
  /** `[label][prediction]`, counts */
  readonly confusionMatrix: ReadonlyArray<ReadonlyArray<number>>
}

/** Logits `[N, K]` and labels `[N]`, N at least 1. */
export const classificationMetrics = (
  logits: Float32Array,
  labels: ArrayLike<number>
): ClassificationMetrics => {
  const matrix = confusionMatrix(logits, labels)
  return {
    top1: topK(logits, labels, 1),
    top5: topK(logits, labels, 5),
    loss: meanCrossEntropy(logits, labels),
    perClass: perClassMetrics(matrix),
    confusionMatrix: matrix
  }
}
