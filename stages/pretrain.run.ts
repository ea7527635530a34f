/** The body of `pretrain`. */
import { Effect } from "effect"
import { decodeLabelledImages } from "../lib/data/labelled-images.ts"
import { loadClassifier } from "../lib/models/Classifier.ts"
import { encodeWeights } from "../lib/models/weights.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { TensorRuntime } from "../lib/tensor/Runtime.ts"
import { fitClassifier } from "../lib/train/fit-classifier.ts"
import { classificationTask } from "../lib/train/tasks/classification.ts"
import { JobContext, JobStopped } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import { ClassifierValue } from "./artifacts.ts"
import type { PretrainParams, pretrainInputs } from "./pretrain.ts"

export const run = Effect.fn("pretrain")(function* (args: {
  readonly params: typeof PretrainParams.Type
  readonly inputs: ValuesOf<typeof pretrainInputs>
}) {
  const { architecture, training } = args.params
  const { classes, preprocessing, train, validation } = args.inputs.dataset
  const blobs = yield* BlobStore
  const host = yield* JobContext
  const classifier = yield* loadClassifier({
    architecture,
    imageChannels: preprocessing.channels,
    numClasses: classes.length
  })
  const { dataSeconds, state, status } = yield* fitClassifier({
    classifier,
    task: classificationTask(classifier),
    params: training,
    dataset: yield* Effect.flatMap(blobs.get(train.tensors), decodeLabelledImages),
    validation:
      validation === null
        ? undefined
        : yield* Effect.flatMap(blobs.get(validation.tensors), decodeLabelledImages),
    normalization: preprocessing,
    host
  })
  if (status === "stopped") return yield* new JobStopped({ message: `stopped in epoch ${state.epoch + 1}` })
  const { numerics } = yield* TensorRuntime
  yield* host.provenance({ numerics: { ...numerics }, dataSeconds })
  return ClassifierValue.make({
    architecture,
    classes,
    preprocessing,
    weights: yield* blobs.put(encodeWeights(state.weights)),
    numParams: classifier.parameters,
    macs: classifier.macs(preprocessing.height, preprocessing.width),
    history: state.history
  })
})
