/** Logits to probabilities, outside of any tensor library. */

/** Softmax of each row of `[N, K]`, stable for any finite logits. */
export const rowProbabilities = (logits: Float32Array, numClasses: number): Float32Array => {
  const probabilities = new Float32Array(logits.length)
  for (let start = 0; start < logits.length; start += numClasses) {
    const row = logits.subarray(start, start + numClasses)
    const largest = row.reduce((a, b) => Math.max(a, b))
    const sum = row.reduce((total, logit) => total + Math.exp(logit - largest), 0)
    row.forEach((logit, index) => {
      probabilities[start + index] = Math.exp(logit - largest) / sum
    })
  }
  return probabilities
}
