/** Sums up evaluated models as one self-contained page, the same as JSON, and images to try a model on. */
import { Effect, Schema } from "effect"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, Evaluation, PreparedDataset, Report } from "./artifacts.ts"

export const ReportParams = Schema.Struct({
  title: Schema.NonEmptyString,
  /** Images of the test split that are kept as PNG, the classes taking turns. */
  samples: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(10)),
    Schema.withConstructorDefault(Effect.succeed(10))
  )
})

/** A model stands beside the evaluation of the same name. */
export const reportInputs = {
  evaluations: Stage.many(Evaluation),
  models: Stage.many(Classifier),
  dataset: PreparedDataset
}

export const WriteReport = Stage.make("report", {
  params: ReportParams,
  inputs: reportInputs,
  output: Report,
  resultServices: ["ImageCodec"],
  run: () => import("./report.run.ts")
})
