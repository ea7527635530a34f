/** Our rows beside the paper's tables 3 to 6. */

import { tricks } from "../train/tricks.ts"
import type { AblationDocument, AblationRow } from "./AblationDocument.ts"
import { efficientTitle } from "./ablation-rows.ts"
import {
  accuracyText,
  figureText,
  gainText,
  intervalText,
  paperGainText,
  recalledMark,
  recalledNote
} from "./ablation-words.ts"
import { escapeHtml, htmlTable } from "./html.ts"
import { efficientTraining, paperGainsOf } from "./paper-tables.ts"

const titles = {
  4: "Table 4: heuristics of large-batch training",
  5: "Table 5: variants of the network",
  6: "Table 6: refinements of the training"
} as const

/** A line a row: ours, then of each of the paper's columns what was reached and what was gained. */
const table = (number: keyof typeof titles, rows: ReadonlyArray<AblationRow>): string => {
  const own = rows.flatMap((row) =>
    row.trick !== null && tricks[row.trick].table === number ? [{ row, paper: paperGainsOf(row) }] : []
  )
  if (own.length === 0) return ""
  const models = own[0]!.paper.map(({ model }) => model)
  const columns = ["Row", "Here, %", "Gain", "95 % interval", ...models]
  const cells = own.map(({ paper, row }) => [
    escapeHtml(row.title),
    accuracyText(row),
    gainText(row.gain!),
    intervalText(row.gain!),
    ...paper.map((one) => `${figureText(one.after)} (${paperGainText(one)})`)
  ])
  return `<h3 class="section">${titles[number]}</h3>
${htmlTable(
  columns.map((title) => ({ title })),
  cells
)}`
}

/** Only where tricks of table 4 came first; seconds are no part of a result, so the times are the paper's. */
const efficient = ({ sums }: AblationDocument): string => {
  const ours = sums.find(({ title }) => title === efficientTitle)
  if (ours === undefined) return ""
  const rows = efficientTraining.map(({ minutesPerEpoch, ...paper }) => [
    `${paper.model}, ImageNet`,
    `${figureText(paper.before)} → ${figureText(paper.after)}`,
    paperGainText(paper),
    "",
    `${minutesPerEpoch.before} → ${minutesPerEpoch.after}${minutesPerEpoch.isRecalled ? recalledMark : ""}`
  ])
  const columns = ["", "Top-1, %", "Gain", "95 % interval", "Minutes an epoch"]
  return `<h3 class="section">Table 3: efficient training against the baseline</h3>
${htmlTable(
  columns.map((title) => ({ title })),
  [["here", "", gainText(ours.gain), intervalText(ours.gain), ""], ...rows]
)}`
}

const notes = [
  recalledNote,
  "The paper trains ResNet-50 and others on ImageNet for 120 epochs (200 with mixup), once each: where our " +
    "networks, images and budgets are smaller, its gains are no measure of ours.",
  "Its batch goes from 256 to 1024 with the learning rate; the batch here is the pipeline's own in all rows.",
  "In the paper, too, not every trick pays by itself: no bias decay loses 0.03 (batch 256) and 0.34 points " +
    `(batch 1024)${recalledMark}, and distillation loses on Inception-V3 and MobileNet, whose teacher is ` +
    "of another family."
]

export const paperSection = (document: AblationDocument): string => {
  const tables = [efficient(document), ...([4, 5, 6] as const).map((number) => table(number, document.rows))]
  return `<h2>Beside the paper</h2>
<p class="muted">He et al. 2018, Bag of Tricks for Image Classification with CNNs (arXiv 1812.01187): top-1 on
ImageNet in per cent, and in brackets what the row gained over the one before it.</p>
${tables.filter((one) => one !== "").join("\n")}
${notes.map((note) => `<p class="muted">${note}</p>`).join("\n")}`
}
