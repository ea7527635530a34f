/** Sums up an ablation: what each trick gains over how many seeds, beside what He et al. 2018 report. */
import { Schema } from "effect"
import { RowChoice } from "../lib/charts/AblationDocument.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, Evaluation, PreparedDataset, Report } from "./artifacts.ts"

export const AblationReportParams = Schema.Struct({
  title: Schema.NonEmptyString,
  seeds: Schema.Array(Schema.Int).check(Schema.isMinLength(1)),
  rows: Schema.Array(RowChoice).check(Schema.isMinLength(1))
})

/** An evaluation of every row and seed (`<row>-seed-<seed>`), and a model of every row: its first seed's. */
export const ablationReportInputs = {
  evaluations: Stage.many(Evaluation.classification),
  models: Stage.many(Classifier),
  dataset: PreparedDataset.classification
}

export const AblationReport = Stage.make("ablation-report", {
  params: AblationReportParams,
  inputs: ablationReportInputs,
  output: Report,
  run: () => import("./ablation-report.run.ts")
})
