/**
 * Trains a student on labels and on its teacher's softened answers to the very same augmented images:
 * Hinton et al. 2015, as used by He et al. 2018 §5.3.
 */
import { Schema } from "effect"
import { Architecture } from "../lib/models/Architecture.ts"
import { DistillationParams } from "../lib/train/DistillationParams.ts"
import { TrainingParams, trainingFlaw } from "../lib/train/TrainingParams.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, PreparedDataset } from "./artifacts.ts"

export const DistillParams = Schema.Struct({
  architecture: Architecture,
  training: TrainingParams,
  ...DistillationParams.fields
}).check(Schema.makeFilter((params) => trainingFlaw(params) ?? true))
export const distillInputs = { dataset: PreparedDataset.classification, teacher: Classifier }

export const Distill = Stage.make("distill", {
  params: DistillParams,
  inputs: distillInputs,
  output: Classifier,
  resultServices: ["TensorRuntime"],
  pool: "gpu",
  capabilities: ({ training }) => [training.precision],
  run: () => import("./distill.run.ts")
})
