/** Top-k: is the label among the k largest logits? */

/**
 * How many of the rows of logits `[N, K]` have their label among the `k` largest; ties count against the
 * model.
 */
export const countTopK = (logits: Float32Array, labels: ArrayLike<number>, k: number): number => {
  const numClasses = logits.length / labels.length
  let hits = 0
  for (let example = 0; example < labels.length; example++) {
    const row = example * numClasses
    const own = logits[row + labels[example]!]!
    let better = 0
    for (let other = 0; other < numClasses; other++) {
      if (other !== labels[example] && !(logits[row + other]! < own)) better++
    }
    if (better < k) hits++
  }
  return hits
}

/** The fraction 0…1. */
export const topK = (logits: Float32Array, labels: ArrayLike<number>, k: number): number =>
  countTopK(logits, labels, k) / labels.length
