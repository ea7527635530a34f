/** The body of `evaluate`. */
import { Effect, Schema } from "effect"
import { decodeLabelledImages } from "../lib/data/labelled-images.ts"
import { classificationMetrics } from "../lib/metrics/classification.ts"
import { loadClassifier } from "../lib/models/Classifier.ts"
import { decodeWeights } from "../lib/models/weights.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { TensorRuntime } from "../lib/tensor/Runtime.ts"
import { classifierLogits } from "../lib/train/evaluate-classifier.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import { EvaluationValue } from "./artifacts.ts"
import type { evaluateInputs } from "./evaluate.ts"

/** The model was made for other images or classes than these: its scores would mean nothing. */
export class DatasetMismatch extends Schema.TaggedError<DatasetMismatch>()("DatasetMismatch", {
  field: Schema.String,
  model: Schema.String,
  dataset: Schema.String
}) {
  override get message() {
    return (
      `The model's ${this.field} is ${this.model}, the dataset's is ${this.dataset}. ` +
      "Evaluate it on a dataset that was prepared as the one it was trained on."
    )
  }
}

type Inputs = ValuesOf<typeof evaluateInputs>

/** Classes in the same order and as many channels; size and normalisation may differ. */
const checkDataset = Effect.fnUntraced(function* ({ dataset, model }: Inputs) {
  const facts = ({ classes, preprocessing: { channels } }: Inputs["dataset"] | Inputs["model"]) => ({
    classes: JSON.stringify(classes),
    channels: String(channels)
  })
  const [own, given] = [facts(model), facts(dataset)]
  for (const field of ["classes", "channels"] as const) {
    const [there, here] = [own[field], given[field]]
    if (there !== here) return yield* new DatasetMismatch({ field, model: there, dataset: here })
  }
})

/** Steps of the test pass: few enough images each for any machine's memory. */
const batchSize = 250

export const run = Effect.fn("evaluate")(function* (args: { readonly inputs: Inputs }) {
  const { dataset, model } = args.inputs
  yield* checkDataset(args.inputs)
  const blobs = yield* BlobStore
  const { provenance, report } = yield* JobContext
  const { numerics } = yield* TensorRuntime
  const classifier = yield* loadClassifier({
    architecture: model.architecture,
    imageChannels: model.preprocessing.channels,
    numClasses: model.classes.length
  })
  const weights = yield* Effect.flatMap(blobs.get(model.weights), (bytes) =>
    decodeWeights(bytes, classifier.weights)
  )
  const test = yield* Effect.flatMap(blobs.get(dataset.test.tensors), decodeLabelledImages)
  const numExamples = test.labels.length
  yield* report({ phase: "test", done: 0, total: numExamples, unit: "images", facts: {} })
  const logits = yield* classifierLogits({
    classifier,
    weights,
    dataset: test,
    normalization: model.preprocessing,
    batchSize
  })
  yield* provenance({ numerics: { ...numerics } })
  const { confusionMatrix, loss, perClass, top1, top5 } = classificationMetrics(logits, test.labels)
  return EvaluationValue.make({
    protocol: `test split, ${numExamples} images of ${test.height} × ${test.width}, one view each, float32`,
    numExamples,
    metrics: { top1, top5, loss, macs: model.macs, params: model.numParams },
    perClass: perClass.map((row, label) => ({ name: model.classes[label]!, ...row })),
    confusion: confusionMatrix,
    history: model.history
  })
})
