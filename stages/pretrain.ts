/** Trains a classifier from scratch on labels: He et al. 2018 §2-3. */
import { Schema } from "effect"
import { Architecture } from "../lib/models/Architecture.ts"
import { TrainingParams, trainingFlaw } from "../lib/train/TrainingParams.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, PreparedDataset } from "./artifacts.ts"

export const PretrainParams = Schema.Struct({ architecture: Architecture, training: TrainingParams }).check(
  Schema.makeFilter((params) => trainingFlaw(params) ?? true)
)
export const pretrainInputs = { dataset: PreparedDataset.classification }

export const Pretrain = Stage.make("pretrain", {
  params: PretrainParams,
  inputs: pretrainInputs,
  output: Classifier,
  resultServices: ["TensorRuntime"],
  pool: "gpu",
  capabilities: ({ training }) => [training.precision],
  run: () => import("./pretrain.run.ts")
})
