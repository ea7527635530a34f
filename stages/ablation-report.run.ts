/** The body of `ablation-report`. */
import { Effect, Schema } from "effect"
import { AblationDocument } from "../lib/charts/AblationDocument.ts"
import { ablationPage } from "../lib/charts/ablation-page.ts"
import { comparedRows, type MeasuredRow, sumsOf } from "../lib/charts/ablation-rows.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { AblationReportParams, ablationReportInputs } from "./ablation-report.ts"
import type { ReportValue } from "./artifacts.ts"

type Params = typeof AblationReportParams.Type
type Inputs = ValuesOf<typeof ablationReportInputs>

/** The pipeline named a row or seed that it gave no result for. */
export class ResultMissing extends Schema.TaggedError<ResultMissing>()("ResultMissing", {
  input: Schema.String,
  name: Schema.String
}) {
  override get message() {
    return (
      `The ablation has no "${this.name}" among its ${this.input}. Give it an evaluation for every row and ` +
      "seed, named <row>-seed-<seed>, and a model for every row, named as the row."
    )
  }
}

const named = <A>(input: string, values: Readonly<Record<string, A>>, name: string) => {
  const value = values[name]
  return value === undefined ? new ResultMissing({ input, name }) : Effect.succeed(value)
}

const measured = Effect.fnUntraced(function* (
  row: Params["rows"][number],
  seeds: Params["seeds"],
  { evaluations, models }: Inputs
) {
  const { macs, numParams } = yield* named("models", models, row.name)
  const scored = yield* Effect.forEach(seeds, (seed) =>
    named("evaluations", evaluations, `${row.name}-seed-${seed}`)
  )
  return { row, numParams, macs, top1: scored.map(({ metrics }) => metrics.top1!) } satisfies MeasuredRow
})

export const run = Effect.fn("ablation-report")(function* ({
  inputs,
  params
}: {
  readonly params: Params
  readonly inputs: Inputs
}) {
  const { classes, preprocessing, quarantined, test, train, validation } = inputs.dataset
  const { channels, height, width } = preprocessing
  const found = yield* Effect.forEach(params.rows, (row) => measured(row, params.seeds, inputs))
  const rows = comparedRows(found)
  const document: AblationDocument = {
    schemaVersion: 1,
    title: params.title,
    dataset: {
      ...{ classes, height, width, channels },
      numTrain: train.numExamples,
      numValidation: validation?.numExamples ?? 0,
      numTest: test.numExamples,
      numQuarantined: quarantined.length
    },
    seeds: params.seeds,
    rows,
    sums: sumsOf(rows)
  }
  const blobs = yield* BlobStore
  const encoder = new TextEncoder()
  const json = JSON.stringify(Schema.encodeSync(AblationDocument)(document), null, 2)
  return {
    _tag: "Report",
    html: yield* blobs.put(encoder.encode(ablationPage(document))),
    json: yield* blobs.put(encoder.encode(`${json}\n`)),
    samples: []
  } satisfies ReportValue
})
