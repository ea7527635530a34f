import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { layer as codecLayer } from "../../infra/images/SharpImageCodec.ts"
import { ReportDocument } from "../../lib/charts/ReportDocument.ts"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"
import { storedConfusion } from "../../lib/data/stored-confusion.ts"
import { type BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
import { run } from "../../stages/report.run.ts"
import { ReportParams } from "../../stages/report.ts"
import { evaluatedClassifier, evaluatedDetector, evaluatedSegmenter } from "../support/evaluatedModels.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"

const numImages = 12
const size = 24

const inputs = Effect.gen(function* () {
  const options = { numImages, size }
  const [teacher, detector, segmenter] = [
    yield* evaluatedClassifier(options),
    yield* evaluatedDetector(options),
    yield* evaluatedSegmenter(options)
  ]
  const other = { ...teacher.evaluation, metrics: { top1: 0.5 }, history: [] }
  return {
    evaluations: {
      teacher: teacher.evaluation,
      other,
      detector: detector.evaluation,
      segmenter: segmenter.evaluation
    },
    models: { teacher: teacher.model, detector: detector.model, segmenter: segmenter.model },
    datasets: { teacher: teacher.dataset, detector: detector.dataset, segmenter: segmenter.dataset }
  }
})

const decodeParams = Schema.decodeUnknownSync(ReportParams)
const params = decodeParams({ title: "Cats & dogs", samples: 4, examples: { worst: 3, random: 2 } })

const bytesOf = (ref: BlobRef) => Effect.flatMap(BlobStore, (store) => store.get(ref))
const text = (ref: BlobRef) => Effect.map(bytesOf(ref), (bytes) => new TextDecoder().decode(bytes))
const report = (given = params) => Effect.flatMap(inputs, (made) => run({ params: given, inputs: made }))
const page = Effect.flatMap(report(), ({ html }) => text(html))
const document = Effect.map(
  Effect.flatMap(report(), ({ json }) => text(json)),
  (json) => Schema.decodeUnknownSync(ReportDocument)(JSON.parse(json))
)

/** The document's part on the model of this name. */
const modelOf = <N extends ReportDocument["models"][number]["task"]>(
  { models }: ReportDocument,
  name: string,
  task: N
) =>
  models.find((model) => model.name === name && model.task === task) as Extract<
    ReportDocument["models"][number],
    { task: N }
  >

const count = (html: string, part: RegExp): number => [...html.matchAll(part)].length

const services = Layer.mergeAll(blobsLayer, jobLayer(), codecLayer)

it.layer(services)("the report's page", (it) => {
  it.effect("asks nothing of the network, runs no script, and stays small", () =>
    Effect.gen(function* () {
      const html = yield* page
      assert.notMatch(html.replace(/base64,[^"]*/g, ""), /https?:|\/\/[a-z]|@import|<script|<link/i)
      const targets = [...html.matchAll(/(?:src|href)="([^"]{0,22})/g)].map((match) => match[1]!)
      assert.isAbove(targets.length, 20)
      for (const target of targets) assert.match(target, /^(data:image\/png;base64,|#photo-)/)
      assert.isBelow(html.length, 500_000)
    })
  )

  it.effect("has a table of scores for each task, the best of several in bold", () =>
    Effect.gen(function* () {
      const html = yield* page
      for (const part of [
        "<title>Cats &amp; dogs</title>",
        "<h2>Classification</h2>",
        "8 classes, colour images of 24 × 24 pixels: 60,000 to train on, 12 to test on.",
        "resnet-cifar, depth 8, width 16, shortcut B</div>",
        "<td>78.3 k</td><td>12.5 M</td><td><b>86.4 %</b></td>",
        "<td>–</td><td>–</td><td>50.0 %</td>",
        "<h2>Detection</h2>",
        "<th>AP at IoU 0.5</th><th>AP at IoU 0.5 to 0.95</th>",
        "<td>73.1 %</td><td>41.3 %</td>",
        "head: channels 64, extraLevels 2, towerConvs 2",
        "<h2>Segmentation</h2>",
        "<td>65.1 %</td><td>94.1 %</td>"
      ]) {
        assert.include(html, part)
      }
    })
  )

  it.effect(
    "draws losses and each task's own score, and matrices where there is one answer an image or pixel",
    () =>
      Effect.gen(function* () {
        const html = yield* page
        for (const title of ["Top-1", "AP at IoU 0.5", "Mean IoU"])
          assert.include(html, `<h3>${title} (fraction)</h3>`)
        assert.strictEqual(count(html, /<h3>Loss<\/h3>/g), 3)
        // Two charts a task; matrices of two classifiers and the segmenter; two pictures of each of 5 images.
        assert.strictEqual(count(html, /<svg role="img" viewBox/g), 6 + 3)
        assert.strictEqual(count(html, /<svg class="boxes"/g), 2 * 5)
        const ids = [...html.matchAll(/ id="([^"]+)"/g)].map((match) => match[1])
        assert.strictEqual(new Set(ids).size, ids.length)
      })
  )

  it.effect("says how every class fared and where the weights came from", () =>
    Effect.gen(function* () {
      const html = yield* page
      for (const part of [
        "circle</td><td>90.0 %</td><td>60.0 %</td><td>12</td>",
        "crescent</td><td>–</td><td>–</td><td>0</td>",
        "background</td><td>90.0 %</td><td>40,000</td>",
        "Of 62 weights, 42 were taken from a classifier, 20 made anew. 2 of the classifier's had no use",
        "All were trained.",
        "1 was frozen."
      ]) {
        assert.include(html, part)
      }
    })
  )

  it.effect("names are escaped", () =>
    Effect.gen(function* () {
      const made = yield* inputs
      const perClass = made.evaluations.detector.perClass.map((row, index) => {
        return index === 0 ? { ...row, name: "<i>" } : row
      })
      const evaluations = { "a <b> model": { ...made.evaluations.detector, perClass } }
      const { html } = yield* run({ params, inputs: { ...made, evaluations } })
      const shown = yield* text(html)
      assert.include(shown, "&lt;i&gt;</td>")
      assert.include(shown, "a &lt;b&gt; model")
      assert.notMatch(shown, /<i>|<b> model/)
    })
  )

  it.effect("a matrix of 1,000 classes is not drawn, and what was confused is told", () =>
    Effect.gen(function* () {
      const { evaluations } = yield* inputs
      const row = { precision: 1, recall: 1, support: 4 }
      const perClass = Array.from({ length: 1000 }, (_, index) => ({ ...row, name: `n${index}` }))
      const matrix = perClass.map((_, label) => perClass.map((_, guess): number => (label === guess ? 3 : 0)))
      matrix[7]![998] = 1
      const confusion = yield* storedConfusion(matrix)
      const many = { ...evaluations.teacher, perClass, confusion }
      const { html, json } = yield* run({
        params,
        inputs: { evaluations: { many }, models: {}, datasets: {} }
      })
      const shown = yield* text(html)
      assert.include(shown, "A matrix of 1,000 classes is not drawn")
      assert.isBelow(shown.length, 500_000)
      const [model] = Schema.decodeUnknownSync(ReportDocument)(JSON.parse(yield* text(json))).models
      assert.deepInclude(model, {
        confusion: null,
        confusedPairs: [{ label: "n7", prediction: "n998", count: 1, share: 0.25 }]
      })
    })
  )

  it.effect("equal inputs give equal bytes, whatever was drawn before", () =>
    Effect.gen(function* () {
      const first = yield* report()
      yield* report({ ...params, title: "Another" })
      assert.deepStrictEqual(yield* report(), first)
    })
  )
})

it.layer(services)("examples in a report", (it) => {
  it.effect("are the worst images first, then others", () =>
    Effect.gen(function* () {
      const all = yield* document
      for (const name of ["teacher", "detector", "segmenter"]) {
        const { examples } = all.models.find((model) => model.name === name)!
        assert.deepStrictEqual(
          examples.map(({ choice }) => choice),
          ["worst", "worst", "worst", "random", "random"]
        )
        const worst = examples.slice(0, 3).map(({ quality }) => quality)
        assert.deepStrictEqual(
          worst,
          worst.toSorted((a, b) => a - b)
        )
        for (const { quality } of examples.slice(3)) assert.isAtLeast(quality, worst[2]!)
        assert.strictEqual(new Set(examples.map(({ image }) => image)).size, 5)
      }
    })
  )

  it.effect("say what is there and what was said", () =>
    Effect.gen(function* () {
      const all = yield* document
      for (const { image, labels } of modelOf(all, "detector", "detection").examples) {
        assert.isAbove(labels.length, 0, `${image}`)
        for (const { box, difficult } of labels) {
          assert.isFalse(difficult)
          assert.isTrue(
            box[0] < box[2] && box[1] < box[3] && box.every((value) => value >= 0 && value <= size)
          )
        }
      }
      const scores = modelOf(all, "detector", "detection").examples.map(({ predictions }) =>
        predictions.map(({ score }) => score)
      )
      for (const found of scores)
        assert.deepStrictEqual(
          found,
          found.toSorted((a, b) => b - a)
        )
      assert.isTrue(scores.flat().every((score) => score >= 0.25))
      for (const { labels } of modelOf(all, "segmenter", "segmentation").examples) {
        const sum = Object.values(labels).reduce((total, share) => total + share, 0)
        assert.isTrue(sum > 0.8 && sum <= 1.0000001)
      }
    })
  )

  it.effect("are shown as pictures: one for a class, labels and predictions side by side for the rest", () =>
    Effect.gen(function* () {
      const html = yield* page
      // A photo for each of 5 classified and 5 detected images, three views of each of 5 masks.
      assert.strictEqual(count(html, /base64,/g), 5 + 5 + 3 * 5)
      assert.strictEqual(count(html, /<use href="#photo-/g), 5)
      assert.match(html, /alt="Test image \d+, predicted: background \d+ %/)
      assert.match(html, /aria-label="Test image \d+, labelled: \d+ [a-z]+/)
    })
  )

  it.effect("may be left out; without a dataset there are none", () =>
    Effect.gen(function* () {
      const none = yield* report(decodeParams({ title: "x", examples: { worst: 0, random: 0 } }))
      assert.notInclude(yield* text(none.html), "base64,")
      const other = modelOf(yield* document, "other", "classification")
      assert.deepStrictEqual([other.examples, other.dataset, other.architecture], [[], null, null])
    })
  )

  it.effect("are bounded in size: a large image is made smaller, its boxes move along", () =>
    Effect.gen(function* () {
      const { dataset, evaluation, model } = yield* evaluatedDetector({ numImages: 2, size: 400 })
      const { html } = yield* run({
        params: { ...params, examples: { worst: 1, random: 0, seed: 0 } },
        inputs: { evaluations: { a: evaluation }, models: { a: model }, datasets: { a: dataset } }
      })
      const png = /base64,([^"]+)"/.exec(yield* text(html))![1]!
      const image = yield* (yield* ImageCodec).decode("x", Buffer.from(png, "base64"), 3)
      assert.deepStrictEqual([image.height, image.width], [288, 288])
    })
  )
})

it.layer(services)("what stands beside the page", (it) => {
  it.effect("the JSON twin has every model by its task", () =>
    Effect.gen(function* () {
      const { models, schemaVersion } = yield* document
      assert.strictEqual(schemaVersion, 3)
      assert.deepStrictEqual(
        models.map(({ name, task, transferred }) => [name, task, transferred]),
        [
          ["teacher", "classification", null],
          ["other", "classification", null],
          ["detector", "detection", { taken: 42, fresh: 20, frozen: 0, unused: 2 }],
          ["segmenter", "segmentation", { taken: 42, fresh: 20, frozen: 1, unused: 2 }]
        ]
      )
      const { metrics } = modelOf(yield* document, "detector", "detection")
      assert.deepStrictEqual(metrics, { ap50: 0.7312, ap: 0.4127, params: 312_000, macs: 210_000_000 })
    })
  )

  it.effect("confused pairs are counted, the most frequent first", () =>
    Effect.gen(function* () {
      const { confusedPairs, confusion } = modelOf(yield* document, "segmenter", "segmentation")
      const wrong = confusion!.flatMap((row, label) => row.filter((_, prediction) => prediction !== label))
      assert.strictEqual(confusedPairs[0]?.count, Math.max(...wrong))
      assert.isTrue(confusedPairs.every(({ label, prediction }) => label !== prediction))
    })
  )

  it.effect("samples are PNGs of each test split, the classes taking turns, padding left off", () =>
    Effect.gen(function* () {
      const { samples } = yield* report(decodeParams({ title: "x", samples: 12 }))
      const of = (evaluation: string) => samples.filter((sample) => sample.evaluation === evaluation)
      assert.deepStrictEqual(
        of("teacher")
          .slice(0, 9)
          .map(({ name }) => name.slice(7)),
        ["circle", "square", "triangle", "cross", "ring", "star", "bar", "crescent", "circle"].map(
          (name) => `${name}.png`
        )
      )
      assert.lengthOf(of("detector"), 12)
      assert.match(of("detector")[0]!.label, /^\d circle/)
      assert.match(of("segmenter")[0]!.label, /^background \d+ %, /)
      const padded = of("detector").find(({ name }) => name.startsWith("000011"))!
      const image = yield* (yield* ImageCodec).decode("x", yield* bytesOf(padded.png), 3)
      assert.deepStrictEqual([image.height, image.width], [24, 18])
    })
  )

  it.effect.each([
    ["the dataset is for detection", { datasets: "detector" }],
    ["the model is a Segmenter", { models: "segmenter" }]
  ] as const)("what does not belong together is refused: %s", ([message, swapped]) =>
    Effect.gen(function* () {
      const made = yield* inputs
      const wrong = Object.entries(swapped).map(([input, other]) => {
        const values = made[input as "datasets" | "models"]
        return [input, { ...values, teacher: values[other as keyof typeof values] }]
      })
      const given = { ...made, ...Object.fromEntries(wrong) }
      const error = yield* Effect.flip(run({ params, inputs: given }))
      assert.strictEqual(error._tag, "PredictionsMismatch")
      assert.include(error.message, `The evaluation "teacher" does not go with`)
      assert.include(error.message, message)
    })
  )

  it.effect("predictions of another number of images are refused", () =>
    Effect.gen(function* () {
      const made = yield* inputs
      const { evaluation } = yield* evaluatedDetector({ numImages: 3, size })
      const evaluations = { detector: evaluation }
      const error = yield* Effect.flip(run({ params, inputs: { ...made, evaluations } }))
      assert.include(error.message, "3 images were evaluated, the test split has 12")
    })
  )
})
