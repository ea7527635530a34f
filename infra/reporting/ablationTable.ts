/** An ablation as a table of the terminal. */
import type { AblationDocument, AblationRow, Gain } from "../../lib/charts/AblationDocument.ts"
import {
  accuracyText,
  gainText,
  intervalText,
  paperGainText,
  recalledMark
} from "../../lib/charts/ablation-words.ts"
import { paperGainsOf } from "../../lib/charts/paper-tables.ts"
import { duration } from "./numbers.ts"
import { oneLine, type Paint } from "./paint.ts"
import { table } from "./table.ts"

const verdictText = ({ verdict }: Gain, paint: Paint): string => {
  if (verdict === "gain") return paint.green(verdict)
  return verdict === "loss" ? paint.red(verdict) : paint.dim(verdict)
}

/** Of ResNet-50, with batches of 256 and 1024 where the paper has both. */
const paperText = (row: AblationRow): string =>
  paperGainsOf(row)
    .filter(({ model }) => model.startsWith("ResNet-50"))
    .map(paperGainText)
    .join(", ")

const gainCells = (gain: Gain | null, paint: Paint): ReadonlyArray<string> =>
  gain === null ? ["", "", ""] : [gainText(gain), intervalText(gain), verdictText(gain, paint)]

const right = { align: "right" } as const

/** `secondsOf`: of a row's trainings, the mean; nobody knows: `undefined`. */
export const ablationLines = (
  { rows, seeds, sums }: AblationDocument,
  secondsOf: (row: string) => number | undefined,
  paint: Paint
): ReadonlyArray<string> => {
  const lines = rows.map((row) => {
    const seconds = secondsOf(row.name)
    return [
      oneLine(row.title),
      accuracyText(row),
      ...gainCells(row.gain, paint),
      paint.dim(paperText(row)),
      seconds === undefined ? "" : duration(seconds)
    ]
  })
  const totals = sums.map(({ gain, title }) => [paint.bold(title), "", ...gainCells(gain, paint)])
  const columns = [
    { title: "row" },
    { title: "top-1 %", ...right },
    { title: "gain", ...right },
    { title: "95 % interval", ...right },
    { title: "" },
    { title: "paper" },
    { title: "training", ...right }
  ]
  const spread = seeds.length === 1 ? "one seed: no spread is known" : `mean ± sd over ${seeds.length} seeds`
  return [
    ...table(columns, [...lines, ...totals], paint),
    "",
    paint.dim(
      `Test split, ${spread}; gains in points, of equal seeds. Paper: ResNet-50 on ImageNet, of batches of`
    ),
    paint.dim(
      `256 and 1024 where there are two; ${recalledMark} recalled. No bias decay by itself loses there.`
    )
  ]
}
