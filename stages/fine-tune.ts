/**
 * Trains parts of a classifier a little more, on images prepared as it will be tested. At a larger size than
 * it was trained at, the linear layer and the normalisation before the average are enough: Touvron et al.
 * 2019, "Fixing the train-test resolution discrepancy" (arXiv 1906.06423).
 */
import { Schema } from "effect"
import { leftOut } from "../lib/models/withDefault.ts"
import { FineTuningParams } from "../lib/train/FineTuningParams.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, PreparedDataset } from "./artifacts.ts"

const Parts = Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1))

export const FineTuneParams = Schema.Struct({
  /**
   * Parts of the network that learn, by the beginning of their names: `["layer4", "fc"]`. Null: the linear
   * layer and the last normalisation before it.
   */
  trained: leftOut(Schema.NullOr(Parts), null),
  training: FineTuningParams
})
export const fineTuneInputs = { dataset: PreparedDataset.classification, classifier: Classifier }

export const FineTune = Stage.make("fine-tune", {
  params: FineTuneParams,
  inputs: fineTuneInputs,
  output: Classifier,
  resultServices: ["TensorRuntime"],
  pool: "gpu",
  capabilities: ({ training }) => [training.precision],
  run: () => import("./fine-tune.run.ts")
})
