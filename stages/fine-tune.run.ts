/** The body of `fine-tune`. */
import { Effect, Schema } from "effect"
import { openSplit } from "../lib/data/open-split.ts"
import { loadClassifier } from "../lib/models/Classifier.ts"
import { decodeWeights } from "../lib/models/weights.ts"
import { withOnlyTrained } from "../lib/nn/frozen.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { fitClassifier } from "../lib/train/fit-classifier.ts"
import { lastParts } from "../lib/train/last-parts.ts"
import { TrainingParams } from "../lib/train/TrainingParams.ts"
import { classificationTask } from "../lib/train/tasks/classification.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { ClassifierValue } from "./artifacts.ts"
import type { FineTuneParams, fineTuneInputs } from "./fine-tune.ts"
import { trainedWeights, trainingScore } from "./trained-weights.ts"

/** The weights were trained for other classes, or other kinds of images. */
export class ClassifierMismatch extends Schema.TaggedError<ClassifierMismatch>()("ClassifierMismatch", {
  field: Schema.String,
  classifier: Schema.String,
  dataset: Schema.String
}) {
  override get message() {
    return (
      `The classifier's ${this.field} is ${this.classifier}, the dataset's is ${this.dataset}. ` +
      "Fine-tune it on images of the classes and channels that it was trained on, of whatever size."
    )
  }
}

type Inputs = ValuesOf<typeof fineTuneInputs>

/** Classes in the same order, as many channels; else fails with `ClassifierMismatch`. */
const checkDataset = Effect.fnUntraced(function* ({ classifier, dataset }: Inputs) {
  const facts = ({ classes, preprocessing: { channels } }: Inputs[keyof Inputs]) => ({
    classes: JSON.stringify(classes),
    channels: String(channels)
  })
  const [own, given] = [facts(classifier), facts(dataset)]
  for (const field of ["classes", "channels"] as const) {
    const [there, here] = [own[field], given[field]]
    if (there !== here) return yield* new ClassifierMismatch({ field, classifier: there, dataset: here })
  }
})

/** As the dataset was prepared, but normalised as the weights are used to. */
const preprocessingOf = ({ classifier: { preprocessing }, dataset }: Inputs) => ({
  ...dataset.preprocessing,
  mean: preprocessing.mean,
  std: preprocessing.std
})

export const run = Effect.fn("fine-tune")(function* (args: {
  readonly params: typeof FineTuneParams.Type
  readonly inputs: Inputs
}) {
  const { training, trained = null } = args.params
  const { classifier, dataset } = args.inputs
  yield* checkDataset(args.inputs)
  const { architecture, classes } = classifier
  const { validation } = dataset
  const preprocessing = preprocessingOf(args.inputs)
  const blobs = yield* BlobStore
  const network = yield* loadClassifier({
    architecture,
    imageChannels: preprocessing.channels,
    numClasses: classes.length
  })
  const parts = trained ?? lastParts(network)
  const specs = yield* withOnlyTrained(network.weights, parts)
  const known = yield* Effect.flatMap(blobs.get(classifier.weights), (bytes) =>
    decodeWeights(bytes, network.weights)
  )
  const train = yield* openSplit(dataset.train)
  const host = yield* JobContext
  yield* host.note(`trains ${parts.join(", ")}; all else stays as it is`)
  const params = TrainingParams.make({ ...training, auxiliaryWeight: 0 })
  const result = yield* fitClassifier({
    classifier: network,
    task: { ...classificationTask(network, params), weights: specs },
    params,
    acting: { architecture, trained: parts },
    dataset: train,
    validation: validation === null ? undefined : yield* openSplit(validation),
    normalization: preprocessing,
    inputSize: preprocessing,
    firstWeights: known,
    host
  })
  const outcome = yield* trainedWeights(result)
  const asSeen = { classifier: network, dataset: { ...dataset, preprocessing }, train }
  return {
    _tag: "Classifier" as const,
    architecture,
    classes,
    preprocessing,
    ...outcome,
    ...(yield* trainingScore({ ...asSeen, weights: outcome.weights })),
    numParams: network.parameters,
    macs: network.macs(preprocessing.height, preprocessing.width)
  } satisfies ClassifierValue
}, Effect.scoped)
