/** A report as one HTML page that asks nothing of the network. Equal documents give equal bytes. */
import { confusionChart } from "./confusion-chart.ts"
import { pageStyle } from "./page-style.ts"
import type { ModelReport, ReportDocument } from "./ReportDocument.ts"
import { seriesColour } from "./svg.ts"
import { type Curve, trainingCurves } from "./training-curves.ts"

/** An image of the test split, as PNG in base64. */
export interface PageSample {
  readonly label: string
  readonly pngBase64: string
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!)

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`

/** 272474 as "272 k", 31021056 as "31.0 M". */
const scaled = (value: number): string => {
  const [divisor, unit] =
    value >= 1e9 ? [1e9, " G"] : value >= 1e6 ? [1e6, " M"] : value >= 1e3 ? [1e3, " k"] : [1, ""]
  return `${Number((value / divisor).toPrecision(3))}${unit}`
}

const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",")

interface Column {
  readonly title: string
  readonly metric: string
  readonly text: (value: number) => string
  /** Which way is better; the best of several models stands out. */
  readonly better?: "higher" | "lower"
}

const columns: ReadonlyArray<Column> = [
  { title: "Params", metric: "params", text: scaled },
  { title: "MACs", metric: "macs", text: scaled },
  { title: "Top-1", metric: "top1", text: percent, better: "higher" },
  { title: "Top-5", metric: "top5", text: percent, better: "higher" },
  { title: "Loss", metric: "loss", text: (value) => value.toFixed(3), better: "lower" }
]

const bestOf = (models: ReadonlyArray<ModelReport>, { metric, better }: Column): number | undefined => {
  const values = models.flatMap(({ metrics }) => metrics[metric] ?? [])
  if (better === undefined || values.length < 2) return undefined
  return better === "higher" ? Math.max(...values) : Math.min(...values)
}

const resultsTable = (models: ReadonlyArray<ModelReport>): string => {
  const best = columns.map((column) => bestOf(models, column))
  const rows = models.map((model, index) => {
    const cells = columns.map(({ metric, text }, at) => {
      const value = model.metrics[metric]
      const mark = value !== undefined && value === best[at] ? ' class="best"' : ""
      return `<td${mark}>${value === undefined ? "–" : text(value)}</td>`
    })
    const architecture =
      model.architecture === null ? "" : `<div class="small muted">${escapeHtml(model.architecture)}</div>`
    return `<tr><td>${dot(index)}${escapeHtml(model.name)}${architecture}</td>${cells.join("")}</tr>`
  })
  const head = columns.map(({ title }) => `<th>${title}</th>`).join("")
  return (
    `<div class="wide"><table><thead><tr><th>Model</th>${head}</tr></thead>` +
    `<tbody>\n${rows.join("\n")}\n</tbody></table></div>`
  )
}

type HistoryKey = "trainLoss" | "validationLoss" | "trainTop1" | "validationTop1"

const measured = ({ history }: ModelReport, key: HistoryKey): ReadonlyArray<number | null> =>
  history.map((record) => record[key] ?? null)

/** Validation as solid lines; train dashed beside it, or solid where there is no validation. */
const curvesOf = (
  models: ReadonlyArray<ModelReport>,
  train: HistoryKey,
  validation: HistoryKey
): ReadonlyArray<Curve> =>
  models.flatMap((model, colour) => {
    const validated = measured(model, validation)
    const dashed = validated.some((value) => value !== null)
    const trained = { colour, dashed, values: measured(model, train) }
    return dashed ? [trained, { colour, dashed: false, values: validated }] : [trained]
  })

const dot = (index: number): string => `<span class="dot" style="background:${seriesColour(index)}"></span>`

const curvesSection = (models: ReadonlyArray<ModelReport>): string => {
  const trained = models.filter(({ history }) => history.length > 0)
  if (trained.length === 0) return ""
  const curves = [
    { title: "Top-1 (fraction)", id: "curve-top1", curves: curvesOf(models, "trainTop1", "validationTop1") },
    { title: "Loss", id: "curve-loss", curves: curvesOf(models, "trainLoss", "validationLoss") }
  ]
  const isValidated = curves.some(({ curves }) => curves.some(({ dashed }) => dashed))
  const legend = models.map(({ name }, index) => `<span>${dot(index)}${escapeHtml(name)}</span>`).join(" ")
  const panels = curves.map(
    ({ title, id, curves }) => `<div class="panel"><h3>${title}</h3>\n${trainingCurves(id, curves)}\n</div>`
  )
  return `<h2>Training</h2>
<p class="muted">Per epoch. Train is measured on augmented images while the weights move; a distilled model's
train loss includes its teacher's part. ${isValidated ? "Dashed: train, solid: validation." : ""}</p>
<p class="legend">${legend}</p>
<div class="panels">${panels.join("\n")}</div>`
}

const pairsList = ({ confusedPairs }: ModelReport): string => {
  if (confusedPairs.length === 0) return `<p class="muted">No image was confused.</p>`
  const rows = confusedPairs.map(
    ({ label, prediction, count, share }) =>
      `<tr><td>${escapeHtml(label)}</td><td class="text">${escapeHtml(prediction)}</td>` +
      `<td>${count}</td><td>${percent(share)}</td></tr>`
  )
  const head = `<tr><th>Is</th><th class="text">Taken for</th><th>Images</th><th>Of its class</th></tr>`
  return `<table><thead>${head}</thead><tbody>\n${rows.join("\n")}\n</tbody></table>`
}

const classTable = ({ perClass }: ModelReport): string => {
  const rows = perClass.map(
    ({ name, precision, recall, support }) =>
      `<tr><td>${escapeHtml(name)}</td><td>${percent(precision)}</td><td>${percent(recall)}</td>` +
      `<td>${grouped(support)}</td></tr>`
  )
  return (
    `<details><summary>Every class</summary><div class="wide"><table><thead><tr><th>Class</th>` +
    `<th>Precision</th><th>Recall</th><th>Images</th></tr></thead>` +
    `<tbody>\n${rows.join("\n")}\n</tbody></table></div></details>`
  )
}

const modelSection = (model: ModelReport, index: number): string =>
  `<h2>${dot(index)}${escapeHtml(model.name)}</h2>
<p class="muted">${escapeHtml(model.protocol)}</p>
<div class="panels">
<div class="panel"><h3>Label (row) and prediction (column)</h3><div class="wide matrix">
<div style="min-width:${26 * model.perClass.length + 80}px">
${confusionChart(
  `matrix-${index}`,
  model.perClass.map(({ name }) => name),
  model.confusion
)}
</div></div></div>
<div class="panel"><h3>Most often confused</h3><div class="wide">${pairsList(model)}</div>
${classTable(model)}</div>
</div>`

const samplesSection = (samples: ReadonlyArray<PageSample>): string =>
  `<h2>Images of the test split</h2>\n<div class="samples">\n${samples
    .map(
      ({ label, pngBase64 }) =>
        `<figure><img alt="${escapeHtml(label)}" src="data:image/png;base64,${pngBase64}">` +
        `<figcaption>${escapeHtml(label)}</figcaption></figure>`
    )
    .join("\n")}\n</div>`

const datasetLine = ({ dataset }: ReportDocument): string => {
  const { classes, height, width, channels, numTrain, numValidation, numTest, numQuarantined } = dataset
  const validation = numValidation === 0 ? "" : `${grouped(numValidation)} for validation, `
  const quarantined =
    numQuarantined === 0 ? "" : ` ${grouped(numQuarantined)} unreadable files were left out.`
  return (
    `${classes.length} classes, ${channels === 1 ? "grey" : "colour"} images of ` +
    `${height} × ${width} pixels: ` +
    `${grouped(numTrain)} to train on, ${validation}${grouped(numTest)} to test on.${quarantined}`
  )
}

export const reportPage = (document: ReportDocument, samples: ReadonlyArray<PageSample>): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(document.title)}</title>
<style>${pageStyle}</style>
</head>
<body>
<h1>${escapeHtml(document.title)}</h1>
<p class="muted">${datasetLine(document)}</p>
<h2>Results on the test split</h2>
${resultsTable(document.models)}
${curvesSection(document.models)}
${document.models.map(modelSection).join("\n")}
${samplesSection(samples)}
</body>
</html>
`
