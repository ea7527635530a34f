/** What a classifier said of every image: the class, how sure it was, and how likely it held the true one. */
import type { ClassPredictions } from "../data/predictions.ts"
import { rowProbabilities } from "./probabilities.ts"

/** Logits `[N, K]`; of equal probabilities the lower class counts. */
export const classPredictions = (
  logits: Float32Array,
  labels: Int32Array,
  numClasses: number
): ClassPredictions => {
  const all = rowProbabilities(logits, numClasses)
  const classes = Int32Array.from(labels, (_, image) => {
    const row = all.subarray(image * numClasses, (image + 1) * numClasses)
    return row.indexOf(row.reduce((a, b) => Math.max(a, b)))
  })
  const probabilityOf = (of: Int32Array) =>
    Float32Array.from(of, (label, image) => all[image * numClasses + label]!)
  return { classes, probabilities: probabilityOf(classes), quality: probabilityOf(labels) }
}
