/** The body of `pretrain`. */
import { Effect } from "effect"
import { openSplit } from "../lib/data/open-split.ts"
import { loadClassifier } from "../lib/models/Classifier.ts"
import { fitClassifier } from "../lib/train/fit-classifier.ts"
import { classificationTask } from "../lib/train/tasks/classification.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { ClassifierValue } from "./artifacts.ts"
import type { PretrainParams, pretrainInputs } from "./pretrain.ts"
import { trainedWeights, trainingScore } from "./trained-weights.ts"

export const run = Effect.fn("pretrain")(function* (args: {
  readonly params: typeof PretrainParams.Type
  readonly inputs: ValuesOf<typeof pretrainInputs>
}) {
  const { training, ...acting } = args.params
  const { architecture } = acting
  const { classes, preprocessing, train, validation } = args.inputs.dataset
  const classifier = yield* loadClassifier({
    architecture,
    imageChannels: preprocessing.channels,
    numClasses: classes.length
  })
  const images = yield* openSplit(train)
  const result = yield* fitClassifier({
    classifier,
    task: classificationTask(classifier, training),
    params: training,
    acting,
    dataset: images,
    validation: validation === null ? undefined : yield* openSplit(validation),
    normalization: preprocessing,
    inputSize: preprocessing,
    host: yield* JobContext
  })
  const outcome = yield* trainedWeights(result)
  const scored = { classifier, weights: outcome.weights, dataset: args.inputs.dataset, train: images }
  return {
    _tag: "Classifier" as const,
    architecture,
    classes,
    preprocessing,
    ...outcome,
    ...(yield* trainingScore(scored)),
    numParams: classifier.parameters,
    macs: classifier.macs(preprocessing.height, preprocessing.width)
  } satisfies ClassifierValue
}, Effect.scoped)
