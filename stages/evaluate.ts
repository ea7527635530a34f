/** Scores a classifier on the test split, which nothing else touches. One crop, no test-time augmentation. */
import { Schema } from "effect"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, Evaluation, PreparedDataset } from "./artifacts.ts"

export const EvaluateParams = Schema.Struct({})
export const evaluateInputs = { model: Classifier, dataset: PreparedDataset }

export const Evaluate = Stage.make("evaluate", {
  params: EvaluateParams,
  inputs: evaluateInputs,
  output: Evaluation,
  pool: "tensor",
  capabilities: () => ["float32"],
  run: () => import("./evaluate.run.ts")
})
