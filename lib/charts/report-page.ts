/** A report as one HTML page that asks nothing of the network. Equal documents give equal bytes. */
import { curvesSection } from "./curves-section.ts"
import type { Picture } from "./example-pictures.ts"
import { examplesSection } from "./examples-section.ts"
import { htmlPage } from "./html-page.ts"
import { modelSection } from "./model-section.ts"
import type { ModelReport, ReportDocument } from "./ReportDocument.ts"
import { datasetLines, type PlacedModel, resultsTable } from "./results-section.ts"

/** The order of the page: from what is learned first to what is made of it. */
const tasks = ["classification", "detection", "segmentation"] as const

const titles: { readonly [task in ModelReport["task"]]: string } = {
  classification: "Classification",
  detection: "Detection",
  segmentation: "Segmentation"
}

/** Scores on the test split and how training went, of the models of one task. */
const taskSection = (task: ModelReport["task"], models: ReadonlyArray<PlacedModel>): string =>
  `<h2>${titles[task]}</h2>
${datasetLines(models)}
<h3 class="section">Results on the test split</h3>
${resultsTable(task, models)}
${curvesSection(`curve-${task}`, models)}`

/** `pictures` has those of each model's examples, by its name. */
export const reportPage = (
  document: ReportDocument,
  pictures: Readonly<Record<string, ReadonlyArray<ReadonlyArray<Picture>>>>
): string => {
  const placed = document.models.map((model, place) => ({ model, place }))
  const sections = tasks.flatMap((task) => {
    const models = placed.filter(({ model }) => model.task === task)
    if (models.length === 0) return []
    return [
      taskSection(task, models),
      ...models.map(({ model, place }) =>
        modelSection({ model, place }, examplesSection({ model, place }, pictures[model.name] ?? []))
      )
    ]
  })
  return htmlPage(document.title, sections.join("\n"))
}
