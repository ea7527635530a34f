/** What an ablation says, before it is a page: written as JSON beside the HTML. */
import { Schema } from "effect"
import { trickNames } from "../train/tricks.ts"
import { DatasetReport } from "./ReportDocument.ts"

/** In fractions 0…1, as the scores are. */
const Gain = Schema.Struct({
  mean: Schema.Number,
  /** `null` for a single seed. */
  sd: Schema.NullOr(Schema.Number),
  /** Of 95 %: Student's t on the differences of equal seeds; `null` for a single seed. */
  interval: Schema.NullOr(Schema.Tuple([Schema.Number, Schema.Number])),
  verdict: Schema.Literals(["gain", "loss", "no effect shown", "one seed says nothing"])
})
export type Gain = typeof Gain.Type

export const RowChoice = Schema.Struct({
  name: Schema.NonEmptyString,
  title: Schema.NonEmptyString,
  /** What it adds to the row it is compared with; `null` for the baseline. */
  trick: Schema.NullOr(Schema.Literals(trickNames)),
  comparedWith: Schema.NullOr(Schema.String),
  /** Of distillation and mixup, the one that both rows have. */
  besides: Schema.NullOr(Schema.Literals(trickNames)),
  /** What of the training differs from that row; of the baseline, all of it. */
  params: Schema.Array(Schema.String)
})
export type RowChoice = typeof RowChoice.Type

const Row = Schema.Struct({
  ...RowChoice.fields,
  /** Counts. */
  numParams: Schema.Int,
  macs: Schema.Int,
  /** Top-1 on the test split, fractions 0…1, in the order of the seeds. */
  top1: Schema.Array(Schema.Number),
  mean: Schema.Number,
  sd: Schema.NullOr(Schema.Number),
  /** Over the row it is compared with; `null` for the baseline. */
  gain: Schema.NullOr(Gain)
})
export type AblationRow = typeof Row.Type

/** Several tricks together: from one row to another. */
const Sum = Schema.Struct({
  title: Schema.String,
  from: Schema.String,
  to: Schema.String,
  gain: Gain
})
export type Sum = typeof Sum.Type

export const AblationDocument = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  title: Schema.String,
  dataset: DatasetReport,
  seeds: Schema.Array(Schema.Int),
  rows: Schema.Array(Row),
  sums: Schema.Array(Sum)
})
export type AblationDocument = typeof AblationDocument.Type
