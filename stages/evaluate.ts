/**
 * Scores a model on the test split of a dataset of its task, which nothing else touches: one view of each
 * image, no test-time augmentation.
 */
import { Schema } from "effect"
import { leftOut } from "../lib/models/withDefault.ts"
import type { ArtifactRef } from "../lib/workflow/Artifact.ts"
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
  Segmenter
} from "./artifacts.ts"

export const EvaluateParams = Schema.Struct({
  /**
   * Side of the square that is cut from the middle of each stored image. Null: the dataset's input size. A
   * larger one than trained on often scores better (Touvron et al. 2019, arXiv 1906.06423). Of classifiers
   * only.
   */
  imageSize: leftOut(Schema.NullOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 }))), null)
})
export const evaluateInputs = {
  model: Artifact.oneOf<ModelValue>(Classifier, Detector, Segmenter),
  dataset: Artifact.oneOf<PreparedDatasetValue>(
    PreparedDataset.classification,
    PreparedDataset.detection,
    PreparedDataset.segmentation
  )
}

/** What a model of each kind is scored on, and what comes of it. */
const kinds = [
  { model: Classifier, dataset: PreparedDataset.classification, evaluation: Evaluation.classification },
  { model: Detector, dataset: PreparedDataset.detection, evaluation: Evaluation.detection },
  { model: Segmenter, dataset: PreparedDataset.segmentation, evaluation: Evaluation.segmentation }
]

const evaluationOf = ({ inputs, params }: Stage.OutputOfArgs): Artifact.ArtifactType<EvaluationValue> => {
  const kind = kinds.find(({ model }) => model.name === inputs.model?.name)!
  if (params.imageSize !== undefined && kind.model !== Classifier) {
    throw new Stage.DefinitionError({
      where: 'stage "evaluate"',
      message: `imageSize is for classifiers; of a ${kind.model.name}, boxes and masks are of whole images`
    })
  }
  if (inputs.dataset?.name === kind.dataset.name) return kind.evaluation
  throw new Stage.DefinitionError({
    where: 'stage "evaluate"',
    message: `a ${kind.model.name} is scored on a ${kind.dataset.name}, not on a ${inputs.dataset?.name}`
  })
}

const stage = Stage.make("evaluate", {
  params: EvaluateParams,
  inputs: evaluateInputs,
  output: Artifact.oneOf<EvaluationValue>(
    Evaluation.classification,
    Evaluation.detection,
    Evaluation.segmentation
  ),
  outputOf: evaluationOf,
  resultServices: ["TensorRuntime"],
  pool: "gpu",
  capabilities: () => ["float32"],
  run: () => import("./evaluate.run.ts")
})

/** The task a model was trained for. */
type TaskOf<M extends ModelValue> = {
  readonly Classifier: "classification"
  readonly Detector: "detection"
  readonly Segmenter: "segmentation"
}[M["_tag"]]

/** The model decides the task, the compiler that the dataset is of the same. */
export const Evaluate = stage as unknown as Omit<typeof stage, never> &
  (<M extends ModelValue>(args: {
    readonly params: typeof EvaluateParams.Encoded
    readonly inputs: {
      readonly model: ArtifactRef<M>
      readonly dataset: ArtifactRef<PreparedDatasetValue<TaskOf<M>>>
    }
  }) => ArtifactRef<EvaluationValue<TaskOf<M>>>)
