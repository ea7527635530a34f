/** Results of pipelines by the engine itself, in a store that the user's cache keeps between experiments. */
import { join } from "node:path"
import { Effect, Schema } from "effect"
import { run } from "../../infra/entries/run.ts"
import { read } from "../../infra/settings.ts"
import { storageLayer } from "../../infra/storageLayers.ts"
import { cacheFolder } from "../../infra/userFolders.ts"
import { decodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { blobsOfSplit, type LabelledSplit } from "../../lib/data/PreparedSplit.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import { ClassificationEvaluation, ClassifierValue, PreparedDataset } from "../../stages/artifacts.ts"
import type { Outcome } from "./Experiment.ts"

/** For what is not a result of the engine: states of peers. */
export const experimentsFolder = join(cacheFolder(process.env), "experiments")
process.env.DISTILLERY_STORE ??= join(experimentsFolder, "store")

const stop = new AbortController()
process.once("SIGINT", () => stop.abort())

/** The manifests of these jobs and all they read from. Ctrl-C stops them at their next step. */
export const resultsOf = async (pipeline: Pipeline, jobs: ReadonlyArray<string>) => {
  const { manifests, report } = await run(pipeline, {
    selection: { to: jobs },
    signal: stop.signal,
    onEvent: (event) => {
      if (event._tag === "JobNote" || event._tag === "JobProgress") console.error(JSON.stringify(event))
    }
  })
  if (report.status !== "ok")
    throw new Error(`the run ended "${report.status}": ${JSON.stringify(report.jobs)}`)
  return (job: string): Manifest => manifests[job]!
}

/** What a trained and evaluated classifier came to. */
export const outcomeOf = (model: Manifest, evaluation: Manifest): Outcome => {
  const { history } = Schema.decodeUnknownSync(ClassifierValue)(model.output.value)
  const { metrics } = Schema.decodeUnknownSync(ClassificationEvaluation)(evaluation.output.value)
  const { loss, macs, params, top1 } = metrics
  return {
    figures: { top1: top1!, loss: loss!, params: params!, macs: macs! },
    curves: {
      "training loss": history.map(({ train }) => train.loss!),
      "training top-1": history.map(({ train }) => train.top1!)
    },
    numerics: { ...(model.provenance.numerics as Outcome["numerics"]) }
  }
}

const split = (part: LabelledSplit) =>
  Effect.gen(function* () {
    return yield* decodeLabelledImages(yield* (yield* BlobStore).get(blobsOfSplit(part)[0]!))
  })

/** The images of a prepared dataset. */
export const preparedImages = async (pipeline: Pipeline, job: string) => {
  const { output } = (await resultsOf(pipeline, [job]))(job)
  const value = Schema.decodeUnknownSync(PreparedDataset.classification.schema)(output.value)
  const images = Effect.all({ train: split(value.train), test: split(value.test) })
  const settings = await Effect.runPromise(read)
  const { test, train } = await Effect.runPromise(
    Effect.scoped(Effect.provide(images, storageLayer(settings)))
  )
  const { classes, preprocessing } = value
  return { classes, preprocessing, train, test }
}
