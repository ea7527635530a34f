import { Effect, Schema } from "effect"
import { encode as encodeBase64 } from "effect/encoding/Base64"
import { type ModelReport, mostConfused, ReportDocument } from "../lib/charts/ReportDocument.ts"
import { reportPage } from "../lib/charts/report-page.ts"
import type { LabelledImages } from "../lib/data/batches.ts"
import { ImageCodec } from "../lib/data/ImageCodec.ts"
import { decodeLabelledImages } from "../lib/data/labelled-images.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { ClassifierValue, EvaluationValue, PreparedDatasetValue, ReportValue } from "./artifacts.ts"
import type { ReportParams, reportInputs } from "./report.ts"

/** Pairs of classes listed per model. */
const confusedPairsMax = 8

/** "resnet-cifar, depth 20, width 16, shortcut B" */
const architectureText = ({ architecture: { family, ...choices } }: ClassifierValue): string =>
  [family, ...Object.entries(choices).map(([name, value]) => `${name} ${value}`)].join(", ")

const modelReport = (
  name: string,
  evaluation: EvaluationValue,
  model: ClassifierValue | undefined
): ModelReport => {
  const { protocol, metrics, perClass, confusion, history } = evaluation
  const classes = perClass.map((row) => row.name)
  return {
    name,
    architecture: model === undefined ? null : architectureText(model),
    protocol,
    metrics: model === undefined ? metrics : { ...metrics, params: model.numParams, macs: model.macs },
    perClass,
    confusion,
    confusedPairs: mostConfused(classes, confusion, confusedPairsMax),
    history
  }
}

const datasetReport = (dataset: PreparedDatasetValue): ReportDocument["dataset"] => {
  const { height, width, channels } = dataset.preprocessing
  return {
    classes: dataset.classes,
    height,
    width,
    channels,
    numTrain: dataset.train.numExamples,
    numValidation: dataset.validation?.numExamples ?? 0,
    numTest: dataset.test.numExamples,
    numQuarantined: dataset.quarantined.length
  }
}

/** The first image of every class, then the second of every class, and so on. */
const sampleIndices = (labels: Int32Array, numClasses: number, count: number): ReadonlyArray<number> => {
  const seen = new Int32Array(numClasses)
  const ranked = Array.from(labels, (label, index) => ({ index, label, rank: seen[label]!++ }))
  return ranked
    .toSorted((a, b) => a.rank - b.rank || a.label - b.label)
    .slice(0, count)
    .map(({ index }) => index)
}

const writeSamples = Effect.fnUntraced(function* (
  test: LabelledImages,
  classes: ReadonlyArray<string>,
  count: number
) {
  const codec = yield* ImageCodec
  const blobs = yield* BlobStore
  const { height, width, channels } = test
  const size = height * width * channels
  return yield* Effect.forEach(
    sampleIndices(test.labels, classes.length, count),
    Effect.fnUntraced(function* (index) {
      const pixels = test.images.subarray(index * size, (index + 1) * size)
      const png = yield* codec.encodePng({ pixels, height, width, channels: channels === 1 ? 1 : 3 })
      const label = classes[test.labels[index]!]!
      const name = `${String(index).padStart(6, "0")}-${label.replace(/[^A-Za-z0-9]+/g, "-")}.png`
      return { name, label, png: yield* blobs.put(png), pngBase64: encodeBase64(png) }
    })
  )
})

export const run = Effect.fn("report")(function* ({
  params,
  inputs
}: {
  readonly params: typeof ReportParams.Type
  readonly inputs: ValuesOf<typeof reportInputs>
}) {
  const { evaluations, models, dataset } = inputs
  const blobs = yield* BlobStore
  const document: ReportDocument = {
    schemaVersion: 1,
    title: params.title,
    dataset: datasetReport(dataset),
    models: Object.entries(evaluations).map(([name, evaluation]) =>
      modelReport(name, evaluation, models[name])
    )
  }
  const test = yield* Effect.flatMap(blobs.get(dataset.test.tensors), decodeLabelledImages)
  const samples = yield* writeSamples(test, dataset.classes, params.samples)
  const encoder = new TextEncoder()
  const json = JSON.stringify(Schema.encodeSync(ReportDocument)(document), null, 2)
  return {
    _tag: "Report",
    html: yield* blobs.put(encoder.encode(reportPage(document, samples))),
    json: yield* blobs.put(encoder.encode(`${json}\n`)),
    samples: samples.map(({ name, label, png }) => ({ name, label, png }))
  } satisfies ReportValue
})
