/** The body of `transfer-detection`. */
import { Effect } from "effect"
import { makeAnchors } from "../lib/boxes/anchors.ts"
import { chooseAnchors } from "../lib/boxes/choose-anchors.ts"
import { decodeBoxedImages } from "../lib/data/boxed-images.ts"
import { detectionBatches } from "../lib/data/detection-batches.ts"
import { loadDetector } from "../lib/models/Detector.ts"
import { anchorsPerCell } from "../lib/models/HeadParams.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { RandomStream } from "../lib/tensor/random.ts"
import { detectorValidation } from "../lib/train/evaluate-detector.ts"
import { firstWeights, firstWeightsText } from "../lib/train/first-weights.ts"
import { fitTask } from "../lib/train/fit.ts"
import { microBatchSizeOf } from "../lib/train/TrainingParams.ts"
import { detectionTask } from "../lib/train/tasks/detection.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { DetectorValue } from "./artifacts.ts"
import { trainedWeights } from "./trained-weights.ts"
import type { TransferDetectionParams, transferDetectionInputs } from "./transfer-detection.ts"

type Params = typeof TransferDetectionParams.Type
type Inputs = ValuesOf<typeof transferDetectionInputs>

const splitOf = Effect.fnUntraced(function* (split: Inputs["dataset"]["train"]) {
  return yield* Effect.flatMap((yield* BlobStore).get(split.tensors), decodeBoxedImages)
})

const detectorOf = ({ anchors, head }: Params, { classifier, dataset }: Inputs) =>
  loadDetector({
    architecture: classifier.architecture,
    imageChannels: dataset.preprocessing.channels,
    numClasses: dataset.classes.length,
    head,
    anchorsPerCell: anchorsPerCell(anchors)
  })

/** The classifier's weights under the head's new ones; the job's log says what came from where. */
const startOf = Effect.fnUntraced(function* (
  params: Params,
  { classifier }: Inputs,
  specs: Effect.Success<ReturnType<typeof detectorOf>>["weights"]
) {
  const first = yield* firstWeights({
    params,
    specs,
    classifier: {
      architecture: classifier.architecture,
      imageChannels: classifier.preprocessing.channels,
      numClasses: classifier.classes.length,
      bytes: yield* (yield* BlobStore).get(classifier.weights)
    }
  })
  yield* (yield* JobContext).note(firstWeightsText(first))
  return first
})

export const run = Effect.fn("transfer-detection")(function* (args: {
  readonly params: Params
  readonly inputs: Inputs
}) {
  const { training, ...acting } = args.params
  const { anchors: choice, head } = acting
  const { classifier, dataset } = args.inputs
  const { classes, preprocessing, validation } = dataset
  const { height, width } = preprocessing
  const host = yield* JobContext
  const train = yield* splitOf(dataset.train)
  const detector = yield* detectorOf(args.params, args.inputs)
  const levels = detector.levels(height, width)
  const random = RandomStream.make(training.seed, "anchors")
  const strides = levels.map(({ stride }) => stride)
  const { meanBestIou, sizes } = chooseAnchors({ choice, strides, boxes: train.boxes, random })
  yield* host.note(`anchors cover a training box with IoU ${meanBestIou.toFixed(2)} on average`)
  const first = yield* startOf(args.params, args.inputs, detector.weights)
  const anchors = makeAnchors({
    height,
    width,
    levels: levels.map((level, index) => ({ ...level, sizes: sizes[index]! }))
  })
  const result = yield* fitTask({
    task: detectionTask(detector, first.specs),
    batches: detectionBatches({
      dataset: train,
      normalization: preprocessing,
      anchors,
      ...training,
      batchSize: microBatchSizeOf(training)
    }),
    params: training,
    acting,
    firstWeights: () => first.weights,
    validation:
      validation === null
        ? undefined
        : detectorValidation({
            detector,
            anchors,
            dataset: yield* splitOf(validation),
            normalization: preprocessing
          }),
    host
  })
  const { fresh, frozen, taken, unused } = first
  return {
    _tag: "Detector" as const,
    architecture: classifier.architecture,
    head,
    anchors: sizes,
    transferred: { taken, fresh, frozen, unused },
    classes,
    preprocessing,
    ...(yield* trainedWeights(result)),
    numParams: detector.parameters,
    macs: detector.macs(height, width)
  } satisfies DetectorValue
})
