/** The body of `transfer-segmentation`. */
import { Effect } from "effect"
import { decodeMaskedImages } from "../lib/data/masked-images.ts"
import { segmentationBatches } from "../lib/data/segmentation-batches.ts"
import { withOutputStride } from "../lib/models/output-stride.ts"
import { loadSegmenter } from "../lib/models/Segmenter.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { segmenterValidation } from "../lib/train/evaluate-segmenter.ts"
import { firstWeights, firstWeightsText } from "../lib/train/first-weights.ts"
import { fitTask } from "../lib/train/fit.ts"
import { microBatchSizeOf } from "../lib/train/TrainingParams.ts"
import { segmentationTask } from "../lib/train/tasks/segmentation.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { SegmenterValue } from "./artifacts.ts"
import { trainedWeights } from "./trained-weights.ts"
import type { TransferSegmentationParams, transferSegmentationInputs } from "./transfer-segmentation.ts"

type Inputs = ValuesOf<typeof transferSegmentationInputs>

const splitOf = Effect.fnUntraced(function* (split: Inputs["dataset"]["train"]) {
  return yield* Effect.flatMap((yield* BlobStore).get(split.tensors), decodeMaskedImages)
})

export const run = Effect.fn("transfer-segmentation")(function* (args: {
  readonly params: typeof TransferSegmentationParams.Type
  readonly inputs: Inputs
}) {
  const { training, ...acting } = args.params
  const { head, outputStride } = acting
  const { classifier, dataset } = args.inputs
  const { classes, preprocessing, validation } = dataset
  const architecture = yield* withOutputStride(classifier.architecture, outputStride)
  const host = yield* JobContext
  const segmenter = yield* loadSegmenter({
    architecture,
    imageChannels: preprocessing.channels,
    numClasses: classes.length,
    head
  })
  const first = yield* firstWeights({
    params: args.params,
    specs: segmenter.weights,
    classifier: {
      architecture: classifier.architecture,
      imageChannels: classifier.preprocessing.channels,
      numClasses: classifier.classes.length,
      bytes: yield* (yield* BlobStore).get(classifier.weights)
    }
  })
  yield* host.note(firstWeightsText(first))
  const result = yield* fitTask({
    task: segmentationTask(segmenter, first.specs),
    batches: segmentationBatches({
      dataset: yield* splitOf(dataset.train),
      normalization: preprocessing,
      ...training,
      batchSize: microBatchSizeOf(training)
    }),
    params: training,
    acting,
    firstWeights: () => first.weights,
    validation:
      validation === null
        ? undefined
        : segmenterValidation({
            segmenter,
            dataset: yield* splitOf(validation),
            normalization: preprocessing
          }),
    host
  })
  const { fresh, frozen, taken, unused } = first
  return {
    _tag: "Segmenter" as const,
    architecture,
    head,
    transferred: { taken, fresh, frozen, unused },
    classes,
    preprocessing,
    ...(yield* trainedWeights(result)),
    numParams: segmenter.parameters,
    macs: segmenter.macs(preprocessing.height, preprocessing.width)
  } satisfies SegmenterValue
})
