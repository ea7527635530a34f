/** An ablation as one HTML page that asks nothing of the network. Equal documents give equal bytes. */
import type { AblationDocument, AblationRow } from "./AblationDocument.ts"
import { chartLegend, gainsChart, scoresChart } from "./ablation-charts.ts"
import { paperSection } from "./ablation-paper-section.ts"
import { accuracyText, gainText, intervalText } from "./ablation-words.ts"
import { escapeHtml, htmlTable, scaled } from "./html.ts"
import { htmlPage } from "./html-page.ts"
import { datasetLine } from "./results-section.ts"

const verdictClass = { gain: "right", loss: "wrong", "no effect shown": "muted" } as const

const verdictCell = ({ gain }: AblationRow): string => {
  if (gain === null) return ""
  const mark = gain.verdict === "one seed says nothing" ? "muted" : verdictClass[gain.verdict]
  return `<span class="${mark}">${gain.verdict}</span>`
}

/** What differs stands under the row's name; the baseline's whole training below the table. */
const titleCell = ({ comparedWith, params, title }: AblationRow): string => {
  const differs =
    comparedWith === null ? "" : `<div class="small muted">${escapeHtml(params.join(", "))}</div>`
  return `${escapeHtml(title)}${differs}`
}

const resultsTable = ({ rows, sums }: AblationDocument): string => {
  const columns = ["Row", "Params", "MACs", "Top-1, %", "Gain, points", "95 % interval", ""]
  const cells = rows.map((row) => [
    titleCell(row),
    scaled(row.numParams),
    scaled(row.macs),
    accuracyText(row),
    row.gain === null ? "" : gainText(row.gain),
    row.gain === null ? "" : intervalText(row.gain),
    verdictCell(row)
  ])
  const totals = sums.map(({ gain, title }) => [
    `<b>${title}</b>`,
    ...["", "", ""],
    `<b>${gainText(gain)}</b>`,
    intervalText(gain),
    gain.verdict
  ])
  return htmlTable(
    columns.map((title) => ({ title })),
    [...cells, ...totals]
  )
}

const seedsText = (seeds: AblationDocument["seeds"]): string =>
  seeds.length === 1 ? `one seed (${seeds[0]})` : `${seeds.length} seeds (${seeds.join(", ")})`

const method = ({ rows, seeds }: AblationDocument): string => {
  const numTests = rows.filter(({ gain }) => gain !== null).length
  const caution =
    seeds.length === 1
      ? "One seed says nothing about chance: take three or more."
      : `One in twenty such intervals misses the truth by chance alone; here are ${numTests}.`
  return `<p class="muted">Top-1 of the last epoch on the test split, mean ± standard deviation over
${seedsText(seeds)}. A gain is over the row that lacks this trick and nothing else: the one before it, or the
baseline for a trick alone. Equal seeds are compared with one another (same data order, and same initial
weights where the network is the same): Student's t on their differences gives the interval. Where it holds 0,
no effect is shown. ${caution}</p>`
}

const baselineDetails = (rows: AblationDocument["rows"]): string => {
  const lines = rows.filter(({ comparedWith }) => comparedWith === null).flatMap(({ params }) => params)
  return `<details><summary>The baseline's training</summary><p class="small">${lines
    .map(escapeHtml)
    .join("<br>")}</p></details>`
}

export const ablationPage = (document: AblationDocument): string =>
  htmlPage(
    document.title,
    `<p class="muted">${datasetLine(document.dataset)}</p>
<h2>What each trick gains</h2>
${method(document)}
${resultsTable(document)}
${baselineDetails(document.rows)}
<h3 class="section">Gains</h3>
${chartLegend}
<div class="panel">${gainsChart(document.rows)}</div>
<h3 class="section">Scores</h3>
<p class="muted">A ring for every seed, a dot for their mean.</p>
<div class="panel">${scoresChart(document.rows)}</div>
${paperSection(document)}`
  )
