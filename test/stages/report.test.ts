import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { layer as codecLayer } from "../../infra/images/SharpImageCodec.ts"
import { ReportDocument } from "../../lib/charts/ReportDocument.ts"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"
import { encodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { ClassifierValue, EvaluationValue, PreparedDatasetValue } from "../../stages/artifacts.ts"
import { run } from "../../stages/report.run.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"

const classes = ["cat", "dog <small>", "ape"]

const evaluation: EvaluationValue = {
  _tag: "Evaluation",
  protocol: "test split, 6 images",
  numExamples: 30,
  metrics: { top1: 0.8, loss: 0.5 },
  perClass: classes.map((name) => ({ name, precision: 0.8, recall: 0.8, support: 10 })),
  confusion: [
    [8, 2, 0],
    [0, 7, 3],
    [1, 0, 9]
  ],
  history: [
    { epoch: 0, learningRate: 0.1, trainLoss: 1, trainTop1: 0.4 },
    { epoch: 1, learningRate: 0.05, trainLoss: 0.6, trainTop1: 0.7 }
  ]
}

const withPreparedDataset = Effect.fnUntraced(function* () {
  const store = yield* BlobStore
  // Labels 0 1 2 0 1 2; the first pixel tells the images apart.
  const images = Uint8Array.from({ length: 6 * 4 }, (_, index) => index)
  const bytes = encodeLabelledImages({
    images,
    labels: Int32Array.of(0, 1, 2, 0, 1, 2),
    height: 2,
    width: 2,
    channels: 1
  })
  const split = { numExamples: 6, tensors: yield* store.put(bytes) }
  const dataset: PreparedDatasetValue = {
    _tag: "PreparedDataset",
    task: "classification",
    classes,
    preprocessing: { height: 2, width: 2, channels: 1, mean: [0.5], std: [0.2] },
    train: { ...split, numExamples: 60_000 },
    validation: null,
    test: split,
    quarantined: []
  }
  const model: ClassifierValue = {
    _tag: "Classifier",
    architecture: { family: "resnet-cifar", depth: 8, width: 4, shortcut: "B" },
    classes,
    preprocessing: dataset.preprocessing,
    weights: split.tensors,
    numParams: 12_345,
    macs: 6_700_000,
    history: evaluation.history
  }
  return { dataset, model }
})

const report = Effect.fnUntraced(function* (title = "Cats & dogs", samples = 4) {
  const { dataset, model } = yield* withPreparedDataset()
  const evaluations = { teacher: evaluation, other: { ...evaluation, history: [] } }
  return yield* run({
    params: { title, samples },
    inputs: { evaluations, models: { teacher: model }, dataset }
  })
})

const text = (ref: { readonly blob: string; readonly sizeBytes: number }) =>
  Effect.flatMap(BlobStore, (store) => store.get(ref as Parameters<typeof store.get>[0])).pipe(
    Effect.map((bytes) => new TextDecoder().decode(bytes))
  )

const services = Layer.mergeAll(blobsLayer, jobLayer(), codecLayer)

it.layer(services)("report page", (it) => {
  it.effect("the page asks nothing of the network", () =>
    Effect.gen(function* () {
      const html = yield* text((yield* report()).html)
      assert.notMatch(html, /https?:|\/\/[a-z]|@import|<script|<link/i)
      assert.deepStrictEqual(
        [...html.matchAll(/(?:src|href)="([^"]{0,22})/g)].map((match) => match[1]!.slice(0, 22)),
        Array.from({ length: 4 }, () => "data:image/png;base64,")
      )
    })
  )

  it.effect("it shows results, curves, matrix, confused pairs and images, with names escaped", () =>
    Effect.gen(function* () {
      const html = yield* text((yield* report()).html)
      for (const part of [
        "<title>Cats &amp; dogs</title>",
        "60,000 to train on, 6 to test on",
        "resnet-cifar, depth 8, width 4, shortcut B",
        "<td>12.3 k</td><td>6.7 M</td>",
        "80.0 %",
        '<td>dog &lt;small&gt;</td><td class="text">ape</td><td>3</td><td>30.0 %</td>',
        "var(--series-0)"
      ]) {
        assert.include(html, part)
      }
      // Two curves, and a matrix for each of two models; ids are used once.
      assert.strictEqual(html.match(/<svg /g)?.length, 4)
      const ids = [...html.matchAll(/ id="([^"]+)"/g)].map((match) => match[1])
      assert.strictEqual(new Set(ids).size, ids.length)
      assert.notInclude(html, "<small>")
    })
  )

  it.effect("equal inputs give equal bytes, whatever was drawn before", () =>
    Effect.gen(function* () {
      const first = yield* report()
      yield* report("Another")
      assert.deepStrictEqual(yield* report(), first)
    })
  )
})

it.layer(services)("what stands beside the page", (it) => {
  it.effect("the JSON twin holds the same and can be read back", () =>
    Effect.gen(function* () {
      const json = JSON.parse(yield* text((yield* report()).json))
      const document = Schema.decodeUnknownSync(ReportDocument)(json)
      assert.deepStrictEqual(
        document.models.map(({ name, architecture }) => [name, architecture === null]),
        [
          ["teacher", false],
          ["other", true]
        ]
      )
      assert.deepStrictEqual(document.models[0]?.confusedPairs, [
        { label: "dog <small>", prediction: "ape", count: 3, share: 0.3 },
        { label: "cat", prediction: "dog <small>", count: 2, share: 0.2 },
        { label: "ape", prediction: "cat", count: 1, share: 0.1 }
      ])
    })
  )

  it.effect("samples are PNGs of the test split, the classes taking turns", () =>
    Effect.gen(function* () {
      const { samples } = yield* report()
      assert.deepStrictEqual(
        samples.map(({ name }) => name),
        ["000000-cat.png", "000001-dog-small-.png", "000002-ape.png", "000003-cat.png"]
      )
      const store = yield* BlobStore
      const image = yield* (yield* ImageCodec).decode("x", yield* store.get(samples[3]!.png), 1)
      assert.deepStrictEqual([...image.pixels], [12, 13, 14, 15])
    })
  )
})
