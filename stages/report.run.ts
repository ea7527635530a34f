/** The body of `report`. */
import { Effect, Schema } from "effect"
import {
  type DatasetReport,
  type ModelReport,
  mostConfused,
  ReportDocument
} from "../lib/charts/ReportDocument.ts"
import { reportPage } from "../lib/charts/report-page.ts"
import type { Sample } from "../lib/charts/samples.ts"
import {
  PredictionsMismatch,
  type ShownImages,
  showClassified,
  showDetected,
  showSegmented
} from "../lib/charts/shown-images.ts"
import { ImageCodec } from "../lib/data/ImageCodec.ts"
import { readConfusion } from "../lib/data/stored-confusion.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import type { ValuesOf } from "../lib/workflow/Stage.ts"
import type { EvaluationValue, ModelValue, PreparedDatasetValue, ReportValue } from "./artifacts.ts"
import type { ReportParams, reportInputs } from "./report.ts"

type Params = typeof ReportParams.Type

/** Pairs of classes listed per model. */
const confusedPairsMax = 8

/** "depth 20, width 16, shortcut B, no skip" */
const choicesText = (choices: object): string =>
  Object.entries(choices)
    .map(([name, value]) => (value === null ? `no ${name}` : `${name} ${value}`))
    .join(", ")

/** "resnet-cifar, depth 20, width 16, shortcut B; head: channels 64, towerConvs 2" */
const architectureText = (model: ModelValue): string => {
  const { family, ...choices } = model.architecture
  const head = model._tag === "Classifier" ? "" : `; head: ${choicesText(model.head)}`
  return `${family}, ${choicesText(choices)}${head}`
}

const datasetReport = (dataset: PreparedDatasetValue): DatasetReport => {
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

const transferReport = (model: ModelValue | undefined): ModelReport["transferred"] => {
  if (model === undefined || model._tag === "Classifier") return null
  const { taken, fresh, frozen, unused } = model.transferred
  return { taken: taken.length, fresh: fresh.length, frozen: frozen.length, unused: unused.length }
}

/** What stands under one name. */
interface Named {
  readonly name: string
  readonly evaluation: EvaluationValue
  readonly model: ModelValue | undefined
  readonly dataset: PreparedDatasetValue | undefined
}

const commonReport = ({ name, evaluation, model, dataset }: Named) => ({
  name,
  architecture: model === undefined ? null : architectureText(model),
  protocol: evaluation.protocol,
  metrics:
    model === undefined
      ? evaluation.metrics
      : { ...evaluation.metrics, params: model.numParams, macs: model.macs },
  history: evaluation.history,
  dataset: dataset === undefined ? null : datasetReport(dataset),
  transferred: transferReport(model)
})

const confusionReport = Effect.fnUntraced(function* ({
  confusion,
  perClass
}: EvaluationValue<"classification" | "segmentation">) {
  const { cells, matrix } = yield* readConfusion(confusion)
  const classes = perClass.map(({ name }) => name)
  return { confusion: matrix, confusedPairs: mostConfused(classes, cells, confusedPairsMax) }
})

const nothingShown: ShownImages<never> = { examples: [], pictures: [], samples: [] }

/** Test split and predictions, for the `show…` of the task. */
const showOptions = Effect.fnUntraced(function* (
  { name, evaluation }: Named,
  dataset: PreparedDatasetValue,
  params: Params
) {
  const blobs = yield* BlobStore
  return {
    evaluation: name,
    test: dataset.test,
    predictions: yield* blobs.get(evaluation.predictions),
    classes: dataset.classes,
    examples: params.examples,
    samples: params.samples
  }
})

const checkTasks = Effect.fnUntraced(function* ({ name, evaluation, model, dataset }: Named) {
  const wanted = { classification: "Classifier", detection: "Detector", segmentation: "Segmenter" } as const
  const tag = wanted[evaluation.task]
  const refuse = (reason: string) => new PredictionsMismatch({ evaluation: name, reason })
  if (dataset !== undefined && dataset.task !== evaluation.task) {
    return yield* refuse(`it is one of ${evaluation.task}, the dataset is for ${dataset.task}`)
  }
  if (model !== undefined && model._tag !== tag) {
    return yield* refuse(`it is one of ${evaluation.task}, the model is a ${model._tag}`)
  }
})

/** A model's part of the document, the pictures of its examples, and images to try it on. */
const partOf = Effect.fnUntraced(function* (named: Named, params: Params) {
  yield* checkTasks(named)
  const { dataset, evaluation } = named
  const options = dataset === undefined ? undefined : yield* showOptions(named, dataset, params)
  const common = commonReport(named)
  const part = (report: ModelReport, { pictures, samples }: ShownImages<unknown>) => {
    return { report, pictures, samples }
  }
  switch (evaluation.task) {
    case "classification": {
      const { perClass, task } = evaluation
      const shown = options === undefined ? nothingShown : yield* showClassified(options)
      const { examples } = shown
      return part({ task, ...common, perClass, ...(yield* confusionReport(evaluation)), examples }, shown)
    }
    case "detection": {
      const { perClass, task } = evaluation
      const shown = options === undefined ? nothingShown : yield* showDetected(options)
      return part({ task, ...common, perClass, examples: shown.examples }, shown)
    }
    case "segmentation": {
      const { perClass, task } = evaluation
      const shown = options === undefined ? nothingShown : yield* showSegmented(options)
      const { examples } = shown
      return part({ task, ...common, perClass, ...(yield* confusionReport(evaluation)), examples }, shown)
    }
  }
})

const storeSample = Effect.fnUntraced(function* (evaluation: string, { name, label, image }: Sample) {
  const png = yield* (yield* ImageCodec).encodePng(image)
  return { evaluation, name: `${name}.png`, label, png: yield* (yield* BlobStore).put(png) }
})

export const run = Effect.fn("report")(function* ({
  params,
  inputs
}: {
  readonly params: Params
  readonly inputs: ValuesOf<typeof reportInputs>
}) {
  const { datasets, evaluations, models } = inputs
  const blobs = yield* BlobStore
  const parts = yield* Effect.forEach(Object.entries(evaluations), ([name, evaluation]) =>
    partOf({ name, evaluation, model: models[name], dataset: datasets[name] }, params)
  )
  const document: ReportDocument = {
    schemaVersion: 3,
    title: params.title,
    models: parts.map(({ report }) => report)
  }
  const pictures = Object.fromEntries(parts.map(({ report, pictures }) => [report.name, pictures]))
  const samples = yield* Effect.forEach(parts, ({ report, samples }) =>
    Effect.forEach(samples, (sample) => storeSample(report.name, sample))
  )
  const encoder = new TextEncoder()
  const json = JSON.stringify(Schema.encodeSync(ReportDocument)(document), null, 2)
  return {
    _tag: "Report",
    html: yield* blobs.put(encoder.encode(reportPage(document, pictures))),
    json: yield* blobs.put(encoder.encode(`${json}\n`)),
    samples: samples.flat()
  } satisfies ReportValue
})
