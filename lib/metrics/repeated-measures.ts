/** What some repetitions of one measurement say: mean, spread, and how sure a difference is. */
import { studentT } from "./student-t.ts"

export interface Spread {
  readonly mean: number
  /** Sample standard deviation (n - 1); `null` for one value. */
  readonly sd: number | null
}

/** Of at least one value. */
export const spreadOf = (values: ReadonlyArray<number>): Spread => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  if (values.length < 2) return { mean, sd: null }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, sd: Math.sqrt(squares / (values.length - 1)) }
}

export interface PairedDifference extends Spread {
  /** Where the mean difference lies with the given confidence; `null` for one pair. */
  readonly interval: readonly [low: number, high: number] | null
}

/**
 * Student's t on the differences `after - before` of pairs, such as two trainings of the same seed: what a
 * pair has in common takes no part in the spread.
 */
export const pairedDifference = (
  before: ReadonlyArray<number>,
  after: ReadonlyArray<number>,
  confidence = 0.95
): PairedDifference => {
  const { mean, sd } = spreadOf(after.map((value, pair) => value - before[pair]!))
  if (sd === null) return { mean, sd, interval: null }
  const half = (studentT(confidence, after.length - 1) * sd) / Math.sqrt(after.length)
  return { mean, sd, interval: [mean - half, mean + half] }
}
