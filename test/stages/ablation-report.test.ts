import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { AblationDocument } from "../../lib/charts/AblationDocument.ts"
import { type BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
import { run } from "../../stages/ablation-report.run.ts"
import { evaluatedClassifier } from "../support/evaluatedModels.ts"
import { blobsLayer } from "../support/stageServices.ts"

const seeds = [1, 2, 3]
const rows = [
  {
    name: "row-00-baseline",
    title: "baseline",
    trick: null,
    comparedWith: null,
    besides: null,
    params: ["training.epochs: 8"]
  },
  ...(["warmup", "no-bias-decay", "label-smoothing"] as const).map((trick, at) => ({
    name: trick,
    title: `+ ${trick} <b>`,
    trick,
    comparedWith: ["row-00-baseline", "warmup", "no-bias-decay"][at]!,
    besides: null,
    params: ["training.warmupEpochs: 0 → 1"]
  }))
]
const params = { title: "Cats & dogs", seeds, rows }

const inputs = Effect.gen(function* () {
  const { dataset, evaluation, model } = yield* evaluatedClassifier({ numImages: 4, size: 24 })
  const scored = rows.flatMap(({ name }, row) =>
    seeds.map((seed) => [
      `${name}-seed-${seed}`,
      { ...evaluation, metrics: { top1: 0.6 + 0.02 * row + 0.01 * ((seed * (row + 1)) % 3) } }
    ])
  )
  const models = Object.fromEntries(rows.map(({ name }) => [name, model]))
  return { evaluations: Object.fromEntries(scored) as Record<string, typeof evaluation>, models, dataset }
})

const text = (ref: BlobRef) =>
  Effect.flatMap(BlobStore, (store) => Effect.map(store.get(ref), (bytes) => new TextDecoder().decode(bytes)))

const report = Effect.flatMap(inputs, (made) => run({ params, inputs: made }))

it.layer(blobsLayer)("the report of an ablation", (it) => {
  it.effect("holds every row with its scores in the order of the seeds", () =>
    Effect.gen(function* () {
      const { json } = yield* report
      const document = Schema.decodeUnknownSync(AblationDocument)(JSON.parse(yield* text(json)))
      assert.deepStrictEqual(document.rows[1]!.top1, [0.64, 0.63, 0.62])
      assert.deepStrictEqual(
        document.rows.map(({ gain }) => gain?.verdict),
        [undefined, "no effect shown", "no effect shown", "gain"]
      )
      assert.deepStrictEqual(
        document.sums.map(({ title }) => title),
        ["efficient training", "all tricks"]
      )
    })
  )

  it.effect("is a page that asks nothing of the network, with the paper's tables beside ours", () =>
    Effect.gen(function* () {
      const html = yield* Effect.flatMap(report, ({ html }) => text(html))
      assert.notMatch(html, /https?:|\/\/[a-z]|@import|<script|<link/i)
      assert.notMatch(html, /NaN|undefined/)
      for (const part of [
        "<title>Cats &amp; dogs</title>",
        "+ warmup &lt;b&gt;",
        "no bias decay loses 0.03 (batch 256) and 0.34 points",
        "Table 3: efficient training",
        "Table 4: heuristics",
        "Table 6: refinements",
        "76.03° (+0.16°)",
        "° recalled, not read again in the paper"
      ])
        assert.include(html, part)
      assert.notInclude(html, "Table 5")
      assert.lengthOf([...html.matchAll(/<svg /g)], 2)
    })
  )

  it.effect("is the same bytes for the same scores", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* report, yield* report)
    })
  )

  it.effect("fails by name where a seed of a row is missing", () =>
    Effect.gen(function* () {
      const made = yield* inputs
      const { "warmup-seed-2": _, ...evaluations } = made.evaluations
      const error = yield* Effect.flip(run({ params, inputs: { ...made, evaluations } }))
      assert.match(error.message, /no "warmup-seed-2" among its evaluations/)
    })
  )
})
