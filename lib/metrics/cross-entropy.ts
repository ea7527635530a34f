/** The loss of an evaluation, from logits in plain arrays. */

/** Mean of -log softmax(logits)[label] over the rows of logits `[N, K]`; natural logarithm. */
export const meanCrossEntropy = (logits: Float32Array, labels: ArrayLike<number>): number => {
  const numClasses = logits.length / labels.length
  let sum = 0
  for (let example = 0; example < labels.length; example++) {
    const row = logits.subarray(example * numClasses, (example + 1) * numClasses)
    // Shifted by the largest, so that no exponential overflows.
    const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    let exponentials = 0
    for (const logit of row) exponentials += Math.exp(logit - largest)
    sum += Math.log(exponentials) + largest - row[labels[example]!]!
  }
  return sum / labels.length
}
