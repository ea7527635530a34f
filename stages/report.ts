/** Sums up evaluated models as one self-contained page, the same as JSON, and images to try a model on. */
import { Schema } from "effect"
import { withDefault } from "../lib/models/withDefault.ts"
import * as Artifact from "../lib/workflow/Artifact.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import {
  Classifier,
  Detector,
  Evaluation,
  type EvaluationValue,
  type ModelValue,
  PreparedDataset,
  type PreparedDatasetValue,
  Report,
  Segmenter
} from "./artifacts.ts"

const integer = (minimum: number, maximum: number, value: number) =>
  withDefault(Schema.Int.check(Schema.isBetween({ minimum, maximum })), value)

/** Images of the test split shown with what they are and what the model said; the page holds them all. */
const Examples = Schema.Struct({
  worst: integer(0, 24, 6),
  random: integer(0, 24, 6),
  seed: integer(0, 2 ** 32 - 1, 0)
})

export const ReportParams = Schema.Struct({
  title: Schema.NonEmptyString,
  /** Images of every test split that are kept as PNG, the classes taking turns. */
  samples: integer(0, 100, 10),
  examples: withDefault(Examples, Examples.make({}))
})

/** A model and its dataset stand beside the evaluation of the same name. */
export const reportInputs = {
  evaluations: Stage.many(
    Artifact.oneOf<EvaluationValue>(Evaluation.classification, Evaluation.detection, Evaluation.segmentation)
  ),
  models: Stage.many(Artifact.oneOf<ModelValue>(Classifier, Detector, Segmenter)),
  datasets: Stage.many(
    Artifact.oneOf<PreparedDatasetValue>(
      PreparedDataset.classification,
      PreparedDataset.detection,
      PreparedDataset.segmentation
    )
  )
}

export const WriteReport = Stage.make("report", {
  params: ReportParams,
  inputs: reportInputs,
  output: Report,
  resultServices: ["ImageCodec"],
  run: () => import("./report.run.ts")
})
