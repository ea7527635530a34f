/** From the scores of rows and seeds to what may be said of the tricks. */
import { pairedDifference, spreadOf } from "../metrics/repeated-measures.ts"
import { type TrickName, tricks } from "../train/tricks.ts"
import type { AblationRow, Gain, RowChoice, Sum } from "./AblationDocument.ts"

/** A row and what was measured of it. */
export interface MeasuredRow {
  readonly row: RowChoice
  readonly numParams: number
  readonly macs: number
  /** Fractions 0…1, in the order of the seeds. */
  readonly top1: ReadonlyArray<number>
}

/** Narrower than any image of a test set could make it: what is left is rounding. */
const noWidth = 1e-9

/** Few seeds that all differ alike are a coincidence of counting images, and no measure of their spread. */
const verdictOf = (interval: Gain["interval"]): Gain["verdict"] => {
  if (interval === null) return "one seed says nothing"
  const [low, high] = interval
  if (high - low < noWidth) return "no effect shown"
  if (low > 0) return "gain"
  return high < 0 ? "loss" : "no effect shown"
}

type Scores = Pick<MeasuredRow, "top1">

const gainOver = (before: Scores, after: Scores): Gain => {
  const { interval, mean, sd } = pairedDifference(before.top1, after.top1)
  return { mean, sd, interval, verdict: verdictOf(interval) }
}

/** Each row against the one it is compared with, seed by seed. */
export const comparedRows = (measured: ReadonlyArray<MeasuredRow>): ReadonlyArray<AblationRow> =>
  measured.map((one) => {
    const { macs, numParams, row, top1 } = one
    const before = measured.find((other) => other.row.name === row.comparedWith)
    const gain = before === undefined ? null : gainOver(before, one)
    return { ...row, numParams, macs, top1, ...spreadOf(top1), gain }
  })

/** The rows that are each compared with the one before: the baseline, and one trick more every time. */
export const ladderOf = (rows: ReadonlyArray<AblationRow>): ReadonlyArray<AblationRow> => {
  const ladder: Array<AblationRow> = []
  for (const row of rows) if (row.comparedWith === (ladder.at(-1)?.name ?? null)) ladder.push(row)
  return ladder
}

/** The paper's table 3 against its baseline. */
export const efficientTitle = "efficient training"

const isEfficient = (trick: TrickName | null): boolean => trick === null || tricks[trick].table === 4

/** What the tricks of table 4 come to (the paper's table 3), and all of them, where they are several. */
export const sumsOf = (rows: ReadonlyArray<AblationRow>): ReadonlyArray<Sum> => {
  const ladder = ladderOf(rows)
  const others = ladder.findIndex(({ trick }) => !isEfficient(trick))
  const numEfficient = others < 0 ? ladder.length : others
  const sum = (title: string, numRows: number): ReadonlyArray<Sum> => {
    const [from, to] = [ladder[0]!, ladder[numRows - 1]!]
    const isSeveral = numRows > 2
    return isSeveral ? [{ title, from: from.name, to: to.name, gain: gainOver(from, to) }] : []
  }
  return [...sum(efficientTitle, numEfficient), ...(others < 0 ? [] : sum("all tricks", ladder.length))]
}
