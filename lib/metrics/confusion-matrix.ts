/** Who is taken for whom, and what follows for each class. */

/**
 * `matrix[label][prediction]` counts examples; the prediction is the class of the largest logit (first of
 * equals).
 */
export const confusionMatrix = (
  logits: Float32Array,
  labels: ArrayLike<number>
): ReadonlyArray<ReadonlyArray<number>> => {
  const numClasses = logits.length / labels.length
  const matrix = Array.from({ length: numClasses }, () => Array.from({ length: numClasses }, () => 0))
  for (let example = 0; example < labels.length; example++) {
    matrix[labels[example]!]![largestOf(logits, example * numClasses, numClasses)]! += 1
  }
  return matrix
}

/** How often one label was taken for one class. */
export type ConfusionCell = readonly [label: number, prediction: number, count: number]

/** The cells that are not 0, row by row. */
export const confusionCells = (matrix: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<ConfusionCell> =>
  matrix.flatMap((row, label) =>
    row.flatMap(
      (count, prediction): ReadonlyArray<ConfusionCell> => (count === 0 ? [] : [[label, prediction, count]])
    )
  )

const largestOf = (logits: Float32Array, start: number, count: number): number => {
  let best = 0
  for (let index = 1; index < count; index++) {
    if (logits[start + index]! > logits[start + best]!) best = index
  }
  return best
}

/** Fractions 0…1. A class that was never predicted has precision 0, one without examples recall 0. */
export interface ClassMetrics {
  readonly precision: number
  readonly recall: number
  /** Examples with this label. */
  readonly support: number
}

export const perClassMetrics = (matrix: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<ClassMetrics> =>
  matrix.map((row, label) => {
    const support = row.reduce((sum, count) => sum + count, 0)
    const predicted = matrix.reduce((sum, other) => sum + other[label]!, 0)
    const hits = row[label]!
    return {
      precision: predicted === 0 ? 0 : hits / predicted,
      recall: support === 0 ? 0 : hits / support,
      support
    }
  })
