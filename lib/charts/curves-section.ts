/** How training went: a chart for the loss and for each score that was measured, by task. */
import { escapeHtml } from "./html.ts"
import { dot, type PlacedModel } from "./results-section.ts"
import { type Curve, trainingCurves } from "./training-curves.ts"

/** Scores first, then the loss, then its parts; what is not listed here comes last, as it is named. */
const titles: Readonly<Record<string, string>> = {
  top1: "Top-1 (fraction)",
  ap50: "AP at IoU 0.5 (fraction)",
  ap: "AP at IoU 0.5 to 0.95 (fraction)",
  meanIoU: "Mean IoU (fraction)",
  pixelAccuracy: "Pixel accuracy (fraction)",
  loss: "Loss",
  classLoss: "Loss by classes",
  boxLoss: "Loss by boxes"
}

const measured = (
  { model }: PlacedModel,
  part: "train" | "validation",
  key: string
): ReadonlyArray<number | null> => model.history.map((record) => record[part][key] ?? null)

/** Validation as solid lines; train dashed beside it, or solid where there is no validation. */
const curvesOf = (models: ReadonlyArray<PlacedModel>, key: string): ReadonlyArray<Curve> =>
  models.flatMap((placed) => {
    const colour = placed.place
    const [train, validation] = [measured(placed, "train", key), measured(placed, "validation", key)]
    const isMeasured = (values: ReadonlyArray<number | null>) => values.some((value) => value !== null)
    if (!isMeasured(validation)) return isMeasured(train) ? [{ colour, dashed: false, values: train }] : []
    const solid = { colour, dashed: false, values: validation }
    return isMeasured(train) ? [{ colour, dashed: true, values: train }, solid] : [solid]
  })

const keysOf = (models: ReadonlyArray<PlacedModel>): ReadonlyArray<string> => {
  const found = new Set(
    models.flatMap(({ model }) =>
      model.history.flatMap(({ train, validation }) => [...Object.keys(train), ...Object.keys(validation)])
    )
  )
  const others = [...found].filter((key) => titles[key] === undefined).sort()
  return [...Object.keys(titles).filter((key) => found.has(key)), ...others]
}

/** Of models whose loss was scaled: the steps that the scale cost. */
const skippedSteps = (models: ReadonlyArray<PlacedModel>): string =>
  models
    .flatMap(({ model: { history, name } }) => {
      const { lossScale } = history.at(-1) ?? {}
      if (lossScale === undefined) return []
      const skipped = history.reduce((sum, record) => sum + (record.skippedSteps ?? 0), 0)
      return [` ${escapeHtml(name)}: ${skipped} steps skipped, loss scale ${lossScale} at the end.`]
    })
    .join("")

export const curvesSection = (id: string, models: ReadonlyArray<PlacedModel>): string => {
  const charts = keysOf(models).map((key) => ({ key, curves: curvesOf(models, key) }))
  if (charts.length === 0) return ""
  const isValidated = charts.some(({ curves }) => curves.some(({ dashed }) => dashed))
  const legend = models.map(({ model, place }) => `<span>${dot(place)}${escapeHtml(model.name)}</span>`)
  const panels = charts.map(
    ({ key, curves }) =>
      `<div class="panel"><h3>${escapeHtml(titles[key] ?? key)}</h3>\n` +
      `${trainingCurves(`${id}-${key}`, curves)}\n</div>`
  )
  const distilled =
    models[0]?.model.task === "classification"
      ? "A distilled model's train loss includes its teacher's part."
      : ""
  const dashes = isValidated ? " Dashed: train, solid: validation." : ""
  return `<h3 class="section">Training</h3>
<p class="muted">Per epoch. Train is measured on augmented images while the weights move.
${distilled}${dashes}${skippedSteps(models)}</p>
<p class="legend">${legend.join(" ")}</p>
<div class="panels">${panels.join("\n")}</div>`
}
