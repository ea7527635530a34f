/** From labels to targets: what the data say, turned into what the loss compares with. */

/**
 * Writes one row per label into `targets` `[N, K]`: 1 at the label, or under label smoothing (Szegedy et al.
 * 2016, in the form of the paper, eq. 5) 1 - ε at the label and ε / (K - 1) elsewhere.
 */
export const writeTargets = (
  targets: Float32Array,
  labels: ArrayLike<number>,
  numClasses: number,
  smoothing: number
): void => {
  targets.fill(smoothing / (numClasses - 1))
  for (let example = 0; example < labels.length; example++) {
    targets[example * numClasses + labels[example]!] = 1 - smoothing
  }
}
