/**
 * What passes between stages. Values are small JSON; bytes lie in blobs they point to.
 */
import { Schema } from "effect"
import { Fit } from "../lib/data/Fit.ts"
import { LabelledSplit, WholeSplit } from "../lib/data/PreparedSplit.ts"
import { SetAside } from "../lib/data/set-aside.ts"
import { Architecture } from "../lib/models/Architecture.ts"
import { DetectorHead, SegmenterHead } from "../lib/models/HeadParams.ts"
import { LoadReport } from "../lib/models/published/LoadReport.ts"
import { BlobRef } from "../lib/storage/BlobStore.ts"
import { Digest } from "../lib/storage/Digest.ts"
import { EpochRecord } from "../lib/train/EpochRecord.ts"
import * as Artifact from "../lib/workflow/Artifact.ts"

/**
 * A tar shard (WebDataset's convention: `000042.ppm`, `000042.cls`, `000042.json`, ...), or with `single` one
 * file as it is, that would fill a shard alone: what the members beside it would say.
 */
export const Shard = Schema.Struct({
  ...BlobRef.fields,
  single: Schema.optionalKey(Schema.Struct({ name: Schema.String, origin: Schema.String, label: Schema.Int }))
})
export type Shard = typeof Shard.Type

/** Images of one split, in order. */
export const Split = Schema.Struct({ numExamples: Schema.Int, shards: Schema.Array(Shard) })
export type Split = typeof Split.Type

/** What a dataset is for: one class an image, boxes with classes, or a class for every pixel. */
export const TaskName = Schema.Literals(["classification", "detection", "segmentation"])
export type TaskName = typeof TaskName.Type

const quarantine = Schema.Array(SetAside)

const imageDataset = <T extends TaskName>(task: T) =>
  Schema.TaggedStruct("ImageDataset", {
    task: Schema.Literal(task),
    classes: Schema.Array(Schema.String),
    splits: Schema.Record(Schema.String, Split),
    quarantined: quarantine
  })

const MaskedDataset = Schema.Struct({
  ...imageDataset("segmentation").fields,
  /** The value of masks where nobody labelled the pixel; null: every value is a class. */
  ignoreIndex: Schema.NullOr(Schema.Int)
})

/**
 * Images as they came, with their labels, boxes or masks. Splits are "train" and "test", "validation" where
 * the source has one.
 */
export type ImageDatasetValue<T extends TaskName = TaskName> = {
  readonly classification: ReturnType<typeof imageDataset<"classification">>["Type"]
  readonly detection: ReturnType<typeof imageDataset<"detection">>["Type"]
  readonly segmentation: typeof MaskedDataset.Type
}[T]
export const ImageDataset = {
  classification: Artifact.type("image-dataset/classification", imageDataset("classification")),
  detection: Artifact.type("image-dataset/detection", imageDataset("detection")),
  segmentation: Artifact.type("image-dataset/segmentation", MaskedDataset)
}

/** How pixels become network inputs; a model carries it to be used alike everywhere. */
export const Preprocessing = Schema.Struct({
  height: Schema.Int,
  width: Schema.Int,
  channels: Schema.Literals([1, 3]),
  fit: Fit,
  /** Per channel, in units of pixel / 255: over the training split, or as published weights want it. */
  mean: Schema.Array(Schema.Number),
  std: Schema.Array(Schema.Number)
})
export type Preprocessing = typeof Preprocessing.Type

const preparedDataset = <T extends TaskName, S extends Schema.Top>(task: T, split: S) =>
  Schema.TaggedStruct("PreparedDataset", {
    task: Schema.Literal(task),
    classes: Schema.Array(Schema.String),
    preprocessing: Preprocessing,
    train: split,
    validation: Schema.NullOr(split),
    test: split,
    quarantined: quarantine,
    /** What was changed or left out in images that were kept: `boxesClipped`, `boxesDropped`. */
    counts: Schema.Record(Schema.String, Schema.Int)
  })

/** Images of one size, ready to train on. `validation` is cut from train unless its fraction is 0. */
export type PreparedDatasetValue<T extends TaskName = TaskName> = {
  readonly classification: ReturnType<typeof preparedDataset<"classification", typeof LabelledSplit>>["Type"]
  readonly detection: ReturnType<typeof preparedDataset<"detection", typeof WholeSplit>>["Type"]
  readonly segmentation: ReturnType<typeof preparedDataset<"segmentation", typeof WholeSplit>>["Type"]
}[T]
export const PreparedDataset = {
  classification: Artifact.type(
    "prepared-dataset/classification",
    preparedDataset("classification", LabelledSplit)
  ),
  detection: Artifact.type("prepared-dataset/detection", preparedDataset("detection", WholeSplit)),
  segmentation: Artifact.type("prepared-dataset/segmentation", preparedDataset("segmentation", WholeSplit))
}

const trained = {
  classes: Schema.Array(Schema.String),
  preprocessing: Preprocessing,
  /** safetensors, PyTorch's names. */
  weights: BlobRef,
  numParams: Schema.Int,
  macs: Schema.Int,
  history: Schema.Array(EpochRecord)
}

/** Whose weights these are and under which terms, in the words of who brought them in. */
export const Attribution = Schema.Struct({ source: Schema.String, licence: Schema.String })

/** Where weights come from that were not trained here, and what became of each of the file's tensors. */
export const Imported = Schema.Struct({
  /** The file's name, without the place where it lay. */
  file: Schema.String,
  digest: Digest,
  format: Schema.String,
  attribution: Attribution,
  report: LoadReport
})
export type Imported = typeof Imported.Type

/** A trained network: weights, what it was trained for, and how it got there. */
export const ClassifierValue = Schema.TaggedStruct("Classifier", {
  architecture: Architecture,
  imported: Schema.optionalKey(Imported),
  /** On training images, evenly spaced and not augmented, where there was no validation split. */
  trainingScore: Schema.optionalKey(Schema.Struct({ numExamples: Schema.Int, top1: Schema.Number })),
  ...trained
})
export type ClassifierValue = typeof ClassifierValue.Type
export const Classifier = Artifact.type("classifier", ClassifierValue)

/** What a transfer made of the classifier's weights, by name; the rest of a model's weights is new. */
export const Transferred = Schema.Struct({
  /** Weights that start as the classifier's. */
  taken: Schema.Array(Schema.String),
  /** Weights that started at random. */
  fresh: Schema.Array(Schema.String),
  /** Weights that were not trained on. */
  frozen: Schema.Array(Schema.String),
  /** Weights of the classifier that had no use here (its head). */
  unused: Schema.Array(Schema.String)
})
export type Transferred = typeof Transferred.Type

/** A classifier's backbone under a detection head; boxes are in pixels of the prepared image. */
export const DetectorValue = Schema.TaggedStruct("Detector", {
  architecture: Architecture,
  head: DetectorHead,
  /** `[height, width]` of the anchors of every pyramid level, in pixels. */
  anchors: Schema.Array(Schema.Array(Schema.Tuple([Schema.Number, Schema.Number]))),
  transferred: Transferred,
  ...trained
})
export type DetectorValue = typeof DetectorValue.Type
export const Detector = Artifact.type("detector", DetectorValue)

/** A classifier's backbone under a segmentation head. */
export const SegmenterValue = Schema.TaggedStruct("Segmenter", {
  architecture: Architecture,
  head: SegmenterHead,
  transferred: Transferred,
  ...trained
})
export type SegmenterValue = typeof SegmenterValue.Type
export const Segmenter = Artifact.type("segmenter", SegmenterValue)

const evaluation = <T extends TaskName, Row extends Schema.Struct.Fields>(task: T, row: Row) =>
  Schema.TaggedStruct("Evaluation", {
    task: Schema.Literal(task),
    /** What was done to get these numbers, in words. */
    protocol: Schema.String,
    numExamples: Schema.Int,
    /** Fractions 0…1; `loss` in nats; `params` and `macs` counts. */
    metrics: Schema.Record(Schema.String, Schema.Number),
    perClass: Schema.Array(Schema.Struct({ name: Schema.String, ...row })),
    /** What the model said of every test image, as safetensors: see `lib/data/predictions.ts`. */
    predictions: BlobRef,
    history: Schema.Array(EpochRecord)
  })

/** Row: what the labels say, column: what the model said; counts of images or pixels. */
const confusion = Schema.Array(Schema.Array(Schema.Int))

export const ClassificationEvaluation = Schema.Struct({
  ...evaluation("classification", {
    precision: Schema.Number,
    recall: Schema.Number,
    support: Schema.Int
  }).fields,
  /** Of more than 200 classes a blob: the cells that are not 0, see `lib/data/confusion-cells.ts`. */
  confusion: Schema.Union([confusion, BlobRef])
})

/** Average precisions are `null` for a class the test split has no box of; `support` counts boxes. */
export const DetectionEvaluation = evaluation("detection", {
  ap50: Schema.NullOr(Schema.Number),
  ap: Schema.NullOr(Schema.Number),
  support: Schema.Int
})

/** `iou` is `null` for a class that is neither labelled nor predicted; `support` counts pixels. */
export const SegmentationEvaluation = Schema.Struct({
  ...evaluation("segmentation", { iou: Schema.NullOr(Schema.Number), support: Schema.Int }).fields,
  confusion
})

/** Scores on the test split. */
export const Evaluation = {
  classification: Artifact.type("evaluation/classification", ClassificationEvaluation),
  detection: Artifact.type("evaluation/detection", DetectionEvaluation),
  segmentation: Artifact.type("evaluation/segmentation", SegmentationEvaluation)
}
export type EvaluationValue<T extends TaskName = TaskName> = {
  readonly classification: typeof ClassificationEvaluation.Type
  readonly detection: typeof DetectionEvaluation.Type
  readonly segmentation: typeof SegmentationEvaluation.Type
}[T]

/** The model of a task. */
export type ModelValue<T extends TaskName = TaskName> = {
  readonly classification: ClassifierValue
  readonly detection: DetectorValue
  readonly segmentation: SegmenterValue
}[T]

/** One self-contained page, the same as JSON, and some images of the test splits to try the models on. */
export const ReportValue = Schema.TaggedStruct("Report", {
  html: BlobRef,
  json: BlobRef,
  samples: Schema.Array(
    Schema.Struct({ evaluation: Schema.String, name: Schema.String, label: Schema.String, png: BlobRef })
  )
})
export type ReportValue = typeof ReportValue.Type
export const Report = Artifact.type("report", ReportValue)
