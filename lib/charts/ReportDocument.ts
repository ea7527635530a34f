/** What a report says, before it is a page: written as JSON beside the HTML. */
import { Schema } from "effect"
import type { ConfusionCell } from "../metrics/confusion-matrix.ts"
import { EpochRecord } from "../train/EpochRecord.ts"

const ConfusedPair = Schema.Struct({
  label: Schema.String,
  prediction: Schema.String,
  /** Images or, of a segmenter, pixels. */
  count: Schema.Int,
  /** Of all with this label, 0…1. */
  share: Schema.Number
})
export type ConfusedPair = typeof ConfusedPair.Type

export const DatasetReport = Schema.Struct({
  classes: Schema.Array(Schema.String),
  height: Schema.Int,
  width: Schema.Int,
  channels: Schema.Int,
  numTrain: Schema.Int,
  numValidation: Schema.Int,
  numTest: Schema.Int,
  numQuarantined: Schema.Int
})
export type DatasetReport = typeof DatasetReport.Type

/** How many weights (named arrays) a transfer took, made anew, did not train, and had no use for. */
const TransferReport = Schema.Struct({
  taken: Schema.Int,
  fresh: Schema.Int,
  frozen: Schema.Int,
  unused: Schema.Int
})
export type TransferReport = typeof TransferReport.Type

/** What is said of every model, whatever it is for. */
const common = {
  name: Schema.String,
  /** In words, `null` where the report was given no model of this name. */
  architecture: Schema.NullOr(Schema.String),
  protocol: Schema.String,
  /** Fractions 0…1, `loss` in nats, `params` and `macs` counts, as far as they were measured. */
  metrics: Schema.Record(Schema.String, Schema.Number),
  history: Schema.Array(EpochRecord),
  /** `null` where the report was given no dataset of this name. */
  dataset: Schema.NullOr(DatasetReport),
  /** `null` for models that started from nothing. */
  transferred: Schema.NullOr(TransferReport)
}

/** An image of the test split that is shown. */
const example = {
  choice: Schema.Literals(["worst", "random"]),
  /** Its place in the test split, from 0. */
  image: Schema.Int,
  /** 0…1, see `lib/data/predictions.ts`. */
  quality: Schema.Number
}

/** Row: label, column: prediction, counts of images or pixels; `null` where there are too many classes. */
const confusion = {
  confusion: Schema.NullOr(Schema.Array(Schema.Array(Schema.Int))),
  confusedPairs: Schema.Array(ConfusedPair)
}

const ClassExample = Schema.Struct({
  ...example,
  label: Schema.String,
  prediction: Schema.String,
  probability: Schema.Number
})
export type ClassExample = typeof ClassExample.Type

const ClassifierReport = Schema.Struct({
  task: Schema.Literal("classification"),
  ...common,
  perClass: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      precision: Schema.Number,
      recall: Schema.Number,
      support: Schema.Int
    })
  ),
  ...confusion,
  examples: Schema.Array(ClassExample)
})
export type ClassifierReport = typeof ClassifierReport.Type

/** `[y1, x1, y2, x2]` in pixels of the prepared image. */
const Box = Schema.Tuple([Schema.Number, Schema.Number, Schema.Number, Schema.Number])

const BoxExample = Schema.Struct({
  ...example,
  /** Neither a loss nor a score asks for the difficult ones. */
  labels: Schema.Array(Schema.Struct({ class: Schema.String, difficult: Schema.Boolean, box: Box })),
  /** Those that are certain enough to be shown, the most certain first. */
  predictions: Schema.Array(Schema.Struct({ class: Schema.String, score: Schema.Number, box: Box }))
})
export type BoxExample = typeof BoxExample.Type

const DetectorReport = Schema.Struct({
  task: Schema.Literal("detection"),
  ...common,
  /** `support` counts boxes; `null` where there is none to find. */
  perClass: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      ap50: Schema.NullOr(Schema.Number),
      ap: Schema.NullOr(Schema.Number),
      support: Schema.Int
    })
  ),
  examples: Schema.Array(BoxExample)
})
export type DetectorReport = typeof DetectorReport.Type

const MaskExample = Schema.Struct({
  ...example,
  /** Share of the image's pixels, 0…1, by class; ignored pixels count for none. */
  labels: Schema.Record(Schema.String, Schema.Number),
  predictions: Schema.Record(Schema.String, Schema.Number)
})
export type MaskExample = typeof MaskExample.Type

const SegmenterReport = Schema.Struct({
  task: Schema.Literal("segmentation"),
  ...common,
  /** `support` counts pixels. */
  perClass: Schema.Array(
    Schema.Struct({ name: Schema.String, iou: Schema.NullOr(Schema.Number), support: Schema.Int })
  ),
  ...confusion,
  examples: Schema.Array(MaskExample)
})
export type SegmenterReport = typeof SegmenterReport.Type

const ModelReport = Schema.Union([ClassifierReport, DetectorReport, SegmenterReport])
export type ModelReport = typeof ModelReport.Type

export const ReportDocument = Schema.Struct({
  schemaVersion: Schema.Literal(3),
  title: Schema.String,
  models: Schema.Array(ModelReport)
})
export type ReportDocument = typeof ReportDocument.Type

/**
 * The pairs of different classes that were confused most often, at most `count`; equal ones in the order of
 * the cells.
 */
export const mostConfused = (
  classes: ReadonlyArray<string>,
  cells: ReadonlyArray<ConfusionCell>,
  count: number
): ReadonlyArray<ConfusedPair> => {
  const totals = new Map<number, number>()
  for (const [label, , value] of cells) totals.set(label, (totals.get(label) ?? 0) + value)
  return cells
    .filter(([label, prediction]) => label !== prediction)
    .toSorted(([, , a], [, , b]) => b - a)
    .slice(0, count)
    .map(([label, prediction, value]) => ({
      label: classes[label]!,
      prediction: classes[prediction]!,
      count: value,
      share: value / totals.get(label)!
    }))
}
