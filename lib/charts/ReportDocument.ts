/** What a report says, before it is a page: written as JSON beside the HTML. */
import { Schema } from "effect"
import { EpochRecord } from "../train/ResumePoint.ts"

const ConfusedPair = Schema.Struct({
  label: Schema.String,
  prediction: Schema.String,
  count: Schema.Int,
  /** Of all images with this label, 0…1. */
  share: Schema.Number
})
export type ConfusedPair = typeof ConfusedPair.Type

const ModelReport = Schema.Struct({
  name: Schema.String,
  /** In words, `null` where the report was given no model of this name. */
  architecture: Schema.NullOr(Schema.String),
  protocol: Schema.String,
  /** `top1`, `top5` (fractions), `loss` (nats), `params`, `macs`, as far as they were measured. */
  metrics: Schema.Record(Schema.String, Schema.Number),
  perClass: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      precision: Schema.Number,
      recall: Schema.Number,
      support: Schema.Int
    })
  ),
  /** Row: label, column: prediction, counts. */
  confusion: Schema.Array(Schema.Array(Schema.Int)),
  confusedPairs: Schema.Array(ConfusedPair),
  history: Schema.Array(EpochRecord)
})
export type ModelReport = typeof ModelReport.Type

export const ReportDocument = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  title: Schema.String,
  dataset: Schema.Struct({
    classes: Schema.Array(Schema.String),
    height: Schema.Int,
    width: Schema.Int,
    channels: Schema.Int,
    numTrain: Schema.Int,
    numValidation: Schema.Int,
    numTest: Schema.Int,
    numQuarantined: Schema.Int
  }),
  models: Schema.Array(ModelReport)
})
export type ReportDocument = typeof ReportDocument.Type

/**
 * The pairs of different classes that were confused most often, at most `count`; equal ones in class order.
 */
export const mostConfused = (
  classes: ReadonlyArray<string>,
  confusion: ReadonlyArray<ReadonlyArray<number>>,
  count: number
): ReadonlyArray<ConfusedPair> =>
  confusion
    .flatMap((row, label) => {
      const total = row.reduce((sum, value) => sum + value, 0)
      return row.map((value, prediction) => ({
        label: classes[label]!,
        prediction: classes[prediction]!,
        count: label === prediction ? 0 : value,
        share: total === 0 ? 0 : value / total
      }))
    })
    .filter((pair) => pair.count > 0)
    .toSorted((a, b) => b.count - a.count)
    .slice(0, count)
