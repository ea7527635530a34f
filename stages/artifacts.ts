/**
 * What passes between stages. Values are small JSON; bytes lie in blobs they point to.
 */
import { Schema } from "effect"
import { Architecture } from "../lib/models/Architecture.ts"
import { BlobRef } from "../lib/storage/BlobStore.ts"
import { EpochRecord } from "../lib/train/ResumePoint.ts"
import * as Artifact from "../lib/workflow/Artifact.ts"

/**
 * Images of one split as tar shards (WebDataset's convention: `000042.ppm`, `000042.cls`, `000042.json`,
 * ...).
 */
export const Split = Schema.Struct({ numExamples: Schema.Int, shards: Schema.Array(BlobRef) })
export type Split = typeof Split.Type

const quarantine = Schema.Array(Schema.Struct({ file: Schema.String, reason: Schema.String }))

/**
 * Images as they came, with their labels. Splits are "train" and "test", "validation" where the source has
 * one.
 */
export const ImageDatasetValue = Schema.TaggedStruct("ImageDataset", {
  task: Schema.Literal("classification"),
  classes: Schema.Array(Schema.String),
  splits: Schema.Record(Schema.String, Split),
  quarantined: quarantine
})
export type ImageDatasetValue = typeof ImageDatasetValue.Type
export const ImageDataset = Artifact.type("image-dataset", ImageDatasetValue)

/** Pixels of a split as one safetensors blob: `images` U8 `[N, H, W, C]`, `labels` I32 `[N]`. */
export const PreparedSplit = Schema.Struct({ numExamples: Schema.Int, tensors: BlobRef })
export type PreparedSplit = typeof PreparedSplit.Type

/** How pixels become network inputs; a classifier carries it to be used alike everywhere. */
export const Preprocessing = Schema.Struct({
  height: Schema.Int,
  width: Schema.Int,
  channels: Schema.Literals([1, 3]),
  /** Per channel, in units of pixel / 255, over the training split. */
  mean: Schema.Array(Schema.Number),
  std: Schema.Array(Schema.Number)
})
export type Preprocessing = typeof Preprocessing.Type

/** Images of one size, ready to train on. `validation` is cut from train unless its fraction is 0. */
export const PreparedDatasetValue = Schema.TaggedStruct("PreparedDataset", {
  task: Schema.Literal("classification"),
  classes: Schema.Array(Schema.String),
  preprocessing: Preprocessing,
  train: PreparedSplit,
  validation: Schema.NullOr(PreparedSplit),
  test: PreparedSplit,
  quarantined: quarantine
})
export type PreparedDatasetValue = typeof PreparedDatasetValue.Type
export const PreparedDataset = Artifact.type("prepared-dataset", PreparedDatasetValue)

/**
 * A trained network: weights (safetensors, PyTorch's names), what it was trained for, and how it got there.
 */
export const ClassifierValue = Schema.TaggedStruct("Classifier", {
  architecture: Architecture,
  classes: Schema.Array(Schema.String),
  preprocessing: Preprocessing,
  weights: BlobRef,
  numParams: Schema.Int,
  macs: Schema.Int,
  history: Schema.Array(EpochRecord)
})
export type ClassifierValue = typeof ClassifierValue.Type
export const Classifier = Artifact.type("classifier", ClassifierValue)

export const ClassRow = Schema.Struct({
  name: Schema.String,
  precision: Schema.Number,
  recall: Schema.Number,
  support: Schema.Int
})

/** Scores on the test split. Fractions 0…1; `loss` is mean cross-entropy in nats. */
export const EvaluationValue = Schema.TaggedStruct("Evaluation", {
  protocol: Schema.String,
  numExamples: Schema.Int,
  metrics: Schema.Record(Schema.String, Schema.Number),
  perClass: Schema.Array(ClassRow),
  /** Row: label, column: prediction, counts. */
  confusion: Schema.Array(Schema.Array(Schema.Int)),
  history: Schema.Array(EpochRecord)
})
export type EvaluationValue = typeof EvaluationValue.Type
export const Evaluation = Artifact.type("evaluation", EvaluationValue)

/** One self-contained page, the same as JSON, and some images of the test split to try a model on. */
export const ReportValue = Schema.TaggedStruct("Report", {
  html: BlobRef,
  json: BlobRef,
  samples: Schema.Array(Schema.Struct({ name: Schema.String, label: Schema.String, png: BlobRef }))
})
export type ReportValue = typeof ReportValue.Type
export const Report = Artifact.type("report", ReportValue)
