/** What became of every tensor of a file: nothing is left out without a word. */
import { Schema } from "effect"

const Shape = Schema.Array(Schema.Int)

export const LoadReport = Schema.Struct({
  /** Whose names the file uses. */
  spelling: Schema.String,
  /** Names of the network's weights that the file gave. */
  loaded: Schema.Array(Schema.String),
  /** Those of them that the file calls otherwise. */
  renamed: Schema.Array(Schema.Struct({ from: Schema.String, to: Schema.String })),
  /** Those whose values the file keeps under another number of axes; `from` as in the file. */
  reshaped: Schema.Array(Schema.Struct({ name: Schema.String, from: Shape, to: Shape })),
  /** Those that were not 32-bit floats. */
  converted: Schema.Array(Schema.Struct({ name: Schema.String, dtype: Schema.String })),
  /** Biases of convolutions, taken off the running means of the normalisations behind them. */
  absorbed: Schema.Array(Schema.Struct({ bias: Schema.String, into: Schema.String })),
  /** The file's tensors that the network has no place for, or that were not asked for. */
  leftOut: Schema.Array(Schema.Struct({ name: Schema.String, reason: Schema.String })),
  /** The network's weights that were not asked for: they are to be made anew. */
  fresh: Schema.Array(Schema.String)
})
export type LoadReport = typeof LoadReport.Type

/** "takes 320 weights (spelled as GluonCV does: 318 renamed, 1 reshaped, 320 converted from F16), …" */
export const loadReportText = (report: LoadReport): string => {
  const dtypes = [...new Set(report.converted.map(({ dtype }) => dtype))].sort().join(", ")
  const details = [
    ...some(report.renamed, "renamed"),
    ...some(report.reshaped, "reshaped"),
    ...some(report.converted, `converted from ${dtypes}`)
  ]
  const reasons = Map.groupBy(report.leftOut, ({ reason }) => reason)
  return [
    `takes ${report.loaded.length} weights${details.length === 0 ? "" : ` (${details.join(", ")})`}`,
    ...some(report.absorbed, "biases absorbed by normalisations"),
    ...Array.from(reasons, ([reason, left]) => `leaves ${left.length} out: ${reason}`),
    ...some(report.fresh, "to be made anew")
  ].join("; ")
}

const some = (list: ReadonlyArray<unknown>, what: string): ReadonlyArray<string> =>
  list.length === 0 ? [] : [`${list.length} ${what}`]
