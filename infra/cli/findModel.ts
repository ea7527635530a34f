/** From `pipeline/job` to a trained model: the one of the latest run that has it. */
import { Effect, Option, Schema } from "effect"
import * as Artifact from "../../lib/workflow/Artifact.ts"
import type { Manifest } from "../../lib/workflow/Manifest.ts"
import { ManifestStore } from "../../lib/workflow/ManifestStore.ts"
import { nearest } from "../../lib/workflow/suggestions.ts"
import { pipelines } from "../../pipelines/index.ts"
import { Classifier, Detector, type ModelValue, Segmenter } from "../../stages/artifacts.ts"
import { UsageError } from "./errors.ts"
import { recordedName } from "./findPipeline.ts"
import { type FinishedJob, finishedJobs, nameOf, splitName } from "./finishedJobs.ts"

export interface FoundModel {
  readonly pipeline: string
  readonly job: string
  readonly key: string
  readonly value: ModelValue
}

const AnyModel = Artifact.oneOf<ModelValue>(Classifier, Detector, Segmenter)
const decodeModel = Schema.decodeUnknownOption(AnyModel.schema)
const isModel = ({ output }: Manifest): boolean =>
  AnyModel.kinds?.some(({ name }) => name === output.type) ?? false

const manifestOf = Effect.fn("findModel.manifestOf")(function* ({ key }: FinishedJob) {
  const lookup = yield* (yield* ManifestStore).find(key)
  return lookup._tag === "Found" ? lookup.manifest : undefined
})

/** Names of those that hold a model: what the user may have meant. */
const modelNames = Effect.fn("findModel.modelNames")(function* (known: ReadonlyArray<FinishedJob>) {
  const manifests = yield* Effect.forEach(known, manifestOf, { concurrency: 8 })
  return known
    .filter((_, index) => {
      const manifest = manifests[index]
      return manifest !== undefined && isModel(manifest)
    })
    .map(nameOf)
})

const noSuchModel = Effect.fn("findModel.noSuchModel")(function* (
  text: string,
  known: ReadonlyArray<FinishedJob>
) {
  const names = yield* modelNames(known)
  const jobs = names.map((name) => splitName(name).job)
  const near = nearest(text, text.includes("/") ? names : jobs)
  const meant = near === undefined ? `there are ${names.join(", ")}` : `did you mean "${near}"?`
  return yield* new UsageError({
    what: `there is no model "${text}"${names.length === 0 ? "" : `: ${meant}`}`,
    ...(names.length === 0 && { fix: "Nothing was trained here yet: npx distillery run quickstart" })
  })
})

const modelIn = Effect.fn("findModel.modelIn")(function* (
  manifest: Manifest | undefined,
  candidate: FinishedJob,
  known: ReadonlyArray<FinishedJob>
) {
  const ours = Object.hasOwn(pipelines, candidate.pipeline)
  const fix = `Make it again: ${ours ? `npx distillery run ${candidate.pipeline}` : "run its pipeline"}`
  if (manifest === undefined) {
    return yield* new UsageError({
      what: `the model "${nameOf(candidate)}" is no longer in the store, or is damaged`,
      fix
    })
  }
  if (!isModel(manifest)) {
    const names = yield* modelNames(known)
    return yield* new UsageError({
      what: `"${nameOf(candidate)}" is no model but a result of type "${manifest.output.type}"`,
      fix: names.length === 0 ? "No model was trained here yet" : `Models are ${names.join(", ")}`
    })
  }
  const value = decodeModel(manifest.output.value)
  if (Option.isSome(value)) return value.value
  return yield* new UsageError({
    what: `the model "${nameOf(candidate)}" was stored by another version of distillery`,
    fix
  })
})

/** One that no recorded run has made or found: it was copied from another store. */
const published = Effect.fn("findModel.published")(function* (pipeline: string | undefined, job: string) {
  if (pipeline === undefined) return undefined
  const [latest] = yield* (yield* ManifestStore).recent(pipeline, job)
  return latest && ({ pipeline, job, key: latest.jobKey } satisfies FinishedJob)
})

/** Fails with `UsageError` where no run has such a model, or a job alone stands for several. */
export const findModel = Effect.fn("findModel")(function* (given: string) {
  const text = yield* recordedName(given)
  const { job, pipeline } = splitName(text)
  const known = yield* finishedJobs
  const matching = known.filter(
    (one) => one.job === job && (pipeline === undefined || one.pipeline === pipeline)
  )
  const [candidate = yield* published(pipeline, job)] = matching
  if (candidate === undefined) return yield* noSuchModel(text, known)
  if (matching.length > 1) {
    return yield* new UsageError({
      what: `"${text}" may be ${matching.map(nameOf).join(" or ")}: name one of them`
    })
  }
  const value = yield* modelIn(yield* manifestOf(candidate), candidate, known)
  return { pipeline: candidate.pipeline, job, key: candidate.key, value } satisfies FoundModel as FoundModel
})
