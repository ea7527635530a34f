/** The table of scores: one for each task, a line a model. */
import { escapeHtml, grouped, htmlTable, percent, scaled } from "./html.ts"
import type { DatasetReport, ModelReport } from "./ReportDocument.ts"
import { seriesColour } from "./svg.ts"

interface MetricColumn {
  readonly title: string
  readonly metric: string
  readonly text: (value: number) => string
  /** Which way is better; the best of several models stands out. */
  readonly better?: "higher" | "lower"
}

const size: ReadonlyArray<MetricColumn> = [
  { title: "Params", metric: "params", text: scaled },
  { title: "MACs", metric: "macs", text: scaled }
]
const score = (title: string, metric: string): MetricColumn => {
  return { title, metric, text: percent, better: "higher" }
}

const columnsOf: { readonly [task in ModelReport["task"]]: ReadonlyArray<MetricColumn> } = {
  classification: [
    ...size,
    score("Top-1", "top1"),
    score("Top-5", "top5"),
    { title: "Loss", metric: "loss", text: (value) => value.toFixed(3), better: "lower" }
  ],
  detection: [...size, score("AP at IoU 0.5", "ap50"), score("AP at IoU 0.5 to 0.95", "ap")],
  segmentation: [...size, score("Mean IoU", "meanIoU"), score("Pixel accuracy", "pixelAccuracy")]
}

/** A model and the place it has in the report, which gives it its colour. */
export interface PlacedModel<M extends ModelReport = ModelReport> {
  readonly model: M
  readonly place: number
}

export const dot = (place: number): string =>
  `<span class="dot" style="background:${seriesColour(place)}"></span>`

const bestOf = (models: ReadonlyArray<PlacedModel>, { metric, better }: MetricColumn): number | undefined => {
  const values = models.flatMap(({ model }) => model.metrics[metric] ?? [])
  if (better === undefined || values.length < 2) return undefined
  return better === "higher" ? Math.max(...values) : Math.min(...values)
}

export const resultsTable = (task: ModelReport["task"], models: ReadonlyArray<PlacedModel>): string => {
  const columns = columnsOf[task]
  const best = columns.map((column) => bestOf(models, column))
  const rows = models.map(({ model, place }) => {
    const cells = columns.map(({ metric, text }, at) => {
      const value = model.metrics[metric]
      if (value === undefined) return "–"
      return value === best[at] ? `<b>${text(value)}</b>` : text(value)
    })
    const architecture =
      model.architecture === null ? "" : `<div class="small muted">${escapeHtml(model.architecture)}</div>`
    return [`${dot(place)}${escapeHtml(model.name)}${architecture}`, ...cells]
  })
  return htmlTable([{ title: "Model" }, ...columns], rows)
}

export const datasetLine = (dataset: DatasetReport): string => {
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

/** Each dataset once, with the names of its models where there are several datasets. */
export const datasetLines = (models: ReadonlyArray<PlacedModel>): string => {
  const namesOf = new Map<string, Array<string>>()
  for (const { model } of models) {
    if (model.dataset === null) continue
    const line = datasetLine(model.dataset)
    namesOf.set(line, [...(namesOf.get(line) ?? []), escapeHtml(model.name)])
  }
  return [...namesOf]
    .map(([line, names]) => `<p class="muted">${namesOf.size > 1 ? `${names.join(", ")}: ` : ""}${line}</p>`)
    .join("\n")
}
