/**
 * The body of `evaluate`: what a model says of the test split, and what that comes to by its task's
 * measures.
 */
import { Effect, Schema } from "effect"
import { makeAnchors } from "../lib/boxes/anchors.ts"
import type { FrameSize } from "../lib/data/augment/pad-crop-flip.ts"
import { type BoxedImages, decodeBoxedImages } from "../lib/data/boxed-images.ts"
import { squareWithin } from "../lib/data/cut-square.ts"
import { decodeMaskedImages } from "../lib/data/masked-images.ts"
import { openSplit } from "../lib/data/open-split.ts"
import {
  encodeBoxPredictions,
  encodeClassPredictions,
  encodeMaskPredictions
} from "../lib/data/predictions.ts"
import { storedConfusion } from "../lib/data/stored-confusion.ts"
import { boxPredictions } from "../lib/metrics/box-predictions.ts"
import { classPredictions } from "../lib/metrics/class-predictions.ts"
import { classificationMetrics } from "../lib/metrics/classification.ts"
import { cocoAveragePrecision } from "../lib/metrics/coco-average-precision.ts"
import { maskPredictions } from "../lib/metrics/mask-predictions.ts"
import { countPixels, emptyPixelCounts, segmentationMetrics } from "../lib/metrics/segmentation.ts"
import { vocAveragePrecision } from "../lib/metrics/voc-average-precision.ts"
import { loadClassifier } from "../lib/models/Classifier.ts"
import { loadDetector } from "../lib/models/Detector.ts"
import { loadSegmenter } from "../lib/models/Segmenter.ts"
import { decodeWeights } from "../lib/models/weights.ts"
import type { WeightSpec } from "../lib/nn/Weights.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { TensorRuntime } from "../lib/tensor/Runtime.ts"
import { classifierLogits } from "../lib/train/evaluate-classifier.ts"
import { detect, evaluatedImages } from "../lib/train/evaluate-detector.ts"
import { segment } from "../lib/train/evaluate-segmenter.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import {
  ClassificationEvaluation,
  DetectionEvaluation,
  type EvaluationValue,
  type ModelValue,
  type PreparedDatasetValue,
  SegmentationEvaluation,
  type TaskName
} from "./artifacts.ts"
import type { EvaluateParams, evaluateInputs } from "./evaluate.ts"

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

type Params = typeof EvaluateParams.Type

interface Pair<T extends TaskName> {
  readonly model: ModelValue<T>
  readonly dataset: PreparedDatasetValue<T>
}

/** The model and the test split are for one another: classes in the same order, as many channels. */
const checkDataset = Effect.fnUntraced(function* ({ dataset, model }: ValuesOf<typeof evaluateInputs>) {
  const facts = ({ classes, preprocessing: { channels } }: typeof dataset | typeof model) => ({
    classes: JSON.stringify(classes),
    channels: String(channels)
  })
  const [own, given] = [facts(model), facts(dataset)]
  for (const field of ["classes", "channels"] as const) {
    const [there, here] = [own[field], given[field]]
    if (there !== here) return yield* new DatasetMismatch({ field, model: there, dataset: here })
  }
})

/** Its weights, checked against what the network asks for. */
const weightsOf = Effect.fnUntraced(function* (model: ModelValue, specs: ReadonlyArray<WeightSpec>) {
  const bytes = yield* (yield* BlobStore).get(model.weights)
  return yield* decodeWeights(bytes, specs)
})

/** Images of the test pass's steps: few enough for any machine's memory. */
const batchSize = 250

const protocolOf = ({ height, width }: FrameSize, numExamples: number, how: string): string => {
  return `test split, ${numExamples} images of ${height} × ${width}, one view each, float32; ${how}`
}

/** What the network is given of a dataset's images. */
const inputSizeOf = (
  { imageSize = null }: Params,
  { preprocessing }: PreparedDatasetValue,
  stored: FrameSize
) => (imageSize === null ? Effect.succeed(preprocessing) : squareWithin(imageSize, stored))

const evaluateClassifier = Effect.fnUntraced(function* (
  params: Params,
  { dataset, model }: Pair<"classification">
) {
  const blobs = yield* BlobStore
  const numClasses = model.classes.length
  const { architecture, classes, history, numParams, preprocessing } = model
  const classifier = yield* loadClassifier({
    architecture,
    imageChannels: preprocessing.channels,
    numClasses
  })
  const test = yield* openSplit(dataset.test)
  const inputSize = yield* inputSizeOf(params, dataset, test)
  const logits = yield* classifierLogits({
    classifier,
    weights: yield* weightsOf(model, classifier.weights),
    dataset: test,
    normalization: preprocessing,
    inputSize,
    batchSize
  })
  const macs = classifier.macs(inputSize.height, inputSize.width)
  const { confusionMatrix, loss, perClass, top1, top5 } = classificationMetrics(logits, test.labels)
  const predictions = encodeClassPredictions(classPredictions(logits, test.labels, numClasses))
  return ClassificationEvaluation.make({
    _tag: "Evaluation",
    task: "classification",
    protocol: protocolOf(inputSize, test.labels.length, "top-1 and top-5"),
    numExamples: test.labels.length,
    metrics: { top1, top5, loss, macs, params: numParams },
    perClass: perClass.map((row, label) => ({ name: classes[label]!, ...row })),
    confusion: yield* storedConfusion(confusionMatrix),
    predictions: yield* blobs.put(predictions),
    history
  })
})

const detectionsOf = Effect.fnUntraced(function* (model: ModelValue<"detection">, dataset: BoxedImages) {
  const { anchors: sizes, architecture, classes, head, preprocessing } = model
  const { height, width } = dataset
  const detector = yield* loadDetector({
    architecture,
    imageChannels: preprocessing.channels,
    numClasses: classes.length,
    head,
    anchorsPerCell: sizes[0]!.length
  })
  const levels = detector.levels(height, width).map((level, index) => ({ ...level, sizes: sizes[index]! }))
  const found = yield* detect({
    detector,
    weights: yield* weightsOf(model, detector.weights),
    anchors: makeAnchors({ height, width, levels }),
    dataset,
    normalization: preprocessing
  })
  return { found, macs: detector.macs(height, width) }
})

const evaluateDetector = Effect.fnUntraced(function* ({ dataset, model }: Pair<"detection">) {
  const blobs = yield* BlobStore
  const { classes, history, numParams } = model
  const test = yield* Effect.flatMap(blobs.get(dataset.test.tensors), decodeBoxedImages)
  const { found, macs } = yield* detectionsOf(model, test)
  const measured = { images: evaluatedImages(test, found), numClasses: classes.length }
  const voc = vocAveragePrecision(measured)
  const coco = cocoAveragePrecision(measured)
  return DetectionEvaluation.make({
    task: "detection",
    protocol: protocolOf(
      test,
      found.length,
      `ap50: ${voc.protocol} AP at IoU ${voc.iouThreshold}; ap: ${coco.protocol}`
    ),
    numExamples: found.length,
    metrics: { ap50: voc.meanAp ?? 0, ap: coco.ap ?? 0, ap75: coco.ap75 ?? 0, macs, params: numParams },
    perClass: voc.perClass.map(({ ap: ap50, numTruths: support }, label) => ({
      name: classes[label]!,
      ap50,
      ap: coco.perClass[label]!.ap,
      support
    })),
    predictions: yield* blobs.put(encodeBoxPredictions(boxPredictions(test, found))),
    history
  })
})

const evaluateSegmenter = Effect.fnUntraced(function* ({ dataset, model }: Pair<"segmentation">) {
  const blobs = yield* BlobStore
  const { architecture, classes, head, history, numParams, preprocessing } = model
  const numClasses = classes.length
  const imageChannels = preprocessing.channels
  const segmenter = yield* loadSegmenter({ architecture, imageChannels, numClasses, head })
  const test = yield* Effect.flatMap(blobs.get(dataset.test.tensors), decodeMaskedImages)
  const weights = yield* weightsOf(model, segmenter.weights)
  const masks = yield* segment({ segmenter, weights, dataset: test, normalization: preprocessing })
  const { height, width } = test
  const numExamples = masks.length / (height * width)
  const counts = emptyPixelCounts(numClasses)
  countPixels(counts, test.masks, masks)
  const { meanIou, perClass, pixelAccuracy } = segmentationMetrics(counts)
  return SegmentationEvaluation.make({
    _tag: "Evaluation",
    task: "segmentation",
    protocol: protocolOf(
      test,
      numExamples,
      "counts summed over the whole split, ignored pixels left out; mean over the classes that occur"
    ),
    numExamples,
    metrics: {
      ...{ meanIoU: meanIou ?? 0, pixelAccuracy: pixelAccuracy ?? 0 },
      ...{ macs: segmenter.macs(height, width), params: numParams }
    },
    perClass: perClass.map((row, label) => ({ name: classes[label]!, ...row })),
    confusion: Array.from({ length: numClasses }, (_, row) =>
      Array.from(counts.matrix.subarray(row * numClasses, (row + 1) * numClasses))
    ),
    predictions: yield* blobs.put(encodeMaskPredictions(maskPredictions(test, masks, numClasses))),
    history
  })
})

/** Contracts let only models and datasets of one task through: here they are told apart by their data. */
const evaluateByTask = (params: Params, { dataset, model }: ValuesOf<typeof evaluateInputs>) => {
  if (model._tag === "Classifier" && dataset.task === "classification") {
    return evaluateClassifier(params, { dataset, model })
  }
  if (model._tag === "Detector" && dataset.task === "detection") return evaluateDetector({ dataset, model })
  if (model._tag === "Segmenter" && dataset.task === "segmentation") {
    return evaluateSegmenter({ dataset, model })
  }
  return new DatasetMismatch({ field: "task", model: model._tag, dataset: dataset.task })
}

export const run = Effect.fn("evaluate")(function* (args: {
  readonly params: Params
  readonly inputs: ValuesOf<typeof evaluateInputs>
}) {
  const { provenance, report } = yield* JobContext
  yield* checkDataset(args.inputs)
  const total = args.inputs.dataset.test.numExamples
  yield* report({ phase: "test", done: 0, total, unit: "images", facts: {} })
  const { numerics } = yield* TensorRuntime
  const evaluated: EvaluationValue = yield* evaluateByTask(args.params, args.inputs)
  yield* provenance({ numerics: { ...numerics } })
  return evaluated
}, Effect.scoped)
