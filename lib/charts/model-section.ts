/** What a report says of one model: its scores by class, what it confuses, what it was made from. */
import { classColour, cssColour, maskColours, type Rgb } from "./class-colours.ts"
import { confusionChart } from "./confusion-chart.ts"
import { escapeHtml, grouped, htmlTable, orDash, percent } from "./html.ts"
import type {
  ClassifierReport,
  DetectorReport,
  ModelReport,
  SegmenterReport,
  TransferReport
} from "./ReportDocument.ts"
import { dot, type PlacedModel } from "./results-section.ts"

/** Classes after which a table is folded away. */
const unfoldedClassesMax = 12

const matrixPanel = (
  { model, place }: PlacedModel<ClassifierReport | SegmenterReport>,
  cells: "counts" | "shares"
): string => {
  const classes = model.perClass.map(({ name }) => name)
  if (model.confusion === null) {
    const what = `A matrix of ${grouped(classes.length)} classes is not drawn; the evaluation has it.`
    return `<div class="panel"><h3>Label and prediction</h3><p class="muted">${what}</p></div>`
  }
  const meaning = cells === "counts" ? "" : `<p class="small muted">Percent of a row's pixels.</p>`
  return `<div class="panel"><h3>Label (row) and prediction (column)</h3>${meaning}<div class="wide matrix">
<div style="min-width:${26 * classes.length + 80}px">
${confusionChart(`matrix-${place}`, { classes, matrix: model.confusion, cells })}
</div></div></div>`
}

const pairsTable = (
  { confusedPairs }: ClassifierReport | SegmenterReport,
  unit: "Images" | "Pixels"
): string => {
  if (confusedPairs.length === 0) return `<p class="muted">Nothing was confused.</p>`
  return htmlTable(
    [{ title: "Is" }, { title: "Taken for", isText: true }, { title: unit }, { title: "Of its class" }],
    confusedPairs.map(({ label, prediction, count, share }) => [
      escapeHtml(label),
      escapeHtml(prediction),
      grouped(count),
      percent(share)
    ])
  )
}

/** Folded away where it is long or where there is more to see. */
const classTable = (table: string, isFolded: boolean): string =>
  isFolded ? `<details><summary>Every class</summary>${table}</details>` : `<h3>Every class</h3>${table}`

const classifierClasses = ({ perClass }: ClassifierReport): string =>
  htmlTable(
    [{ title: "Class" }, { title: "Precision" }, { title: "Recall" }, { title: "Images" }],
    perClass.map(({ name, precision, recall, support }) => [
      escapeHtml(name),
      percent(precision),
      percent(recall),
      grouped(support)
    ])
  )

/** A class with the colour it has on pictures. */
const swatch = (name: string, colour: Rgb | null): string =>
  `<span class="swatch" style="background:${colour === null ? "none" : cssColour(colour)}"></span>` +
  escapeHtml(name)

const detectorClasses = ({ perClass }: DetectorReport): string =>
  htmlTable(
    [{ title: "Class" }, { title: "AP at IoU 0.5" }, { title: "AP at IoU 0.5 to 0.95" }, { title: "Boxes" }],
    perClass.map(({ name, ap50, ap, support }, index) => [
      swatch(name, classColour(index)),
      orDash(ap50, percent),
      orDash(ap, percent),
      grouped(support)
    ])
  )

const segmenterClasses = ({ perClass }: SegmenterReport): string => {
  const colours = maskColours(perClass.map(({ name }) => name))
  return htmlTable(
    [{ title: "Class" }, { title: "IoU" }, { title: "Pixels" }],
    perClass.map(({ name, iou, support }, index) => [
      swatch(name, colours[index]!),
      orDash(iou, percent),
      grouped(support)
    ])
  )
}

const panels = ({ model, place }: PlacedModel): string => {
  const isLong = model.perClass.length > unfoldedClassesMax
  switch (model.task) {
    case "classification":
      return `${matrixPanel({ model, place }, "counts")}
<div class="panel"><h3>Most often confused</h3>${pairsTable(model, "Images")}
${classTable(classifierClasses(model), true)}</div>`
    case "detection":
      return `<div class="panel">${classTable(detectorClasses(model), isLong)}</div>`
    case "segmentation":
      return `${matrixPanel({ model, place }, "shares")}
<div class="panel">${classTable(segmenterClasses(model), isLong)}
<details><summary>Most often confused</summary>${pairsTable(model, "Pixels")}</details></div>`
  }
}

/** A weight is a named array here. */
const transferLine = ({ taken, fresh, frozen, unused }: TransferReport): string => {
  const were = (count: number): string => `${grouped(count)} ${count === 1 ? "was" : "were"}`
  const sentences =
    taken === 0
      ? ["No weight was taken from a classifier."]
      : [
          `Of ${grouped(taken + fresh)} weights, ${were(taken)} taken from a classifier, ` +
            `${grouped(fresh)} made anew.`,
          ...(unused === 0 ? [] : [`${grouped(unused)} of the classifier's had no use here.`])
        ]
  const held = frozen === 0 ? "All were trained." : `${were(frozen)} frozen.`
  return `<p class="muted">${[...sentences, held].join(" ")}</p>`
}

/** Heading, words and panels; `examples` come last, already a piece of the page. */
export const modelSection = (placed: PlacedModel<ModelReport>, examples: string): string => {
  const { model, place } = placed
  return `<h2>${dot(place)}${escapeHtml(model.name)}</h2>
<p class="muted">${escapeHtml(model.protocol)}</p>
${model.transferred === null ? "" : transferLine(model.transferred)}
<div class="panels">
${panels(placed)}
</div>
${examples}`
}
