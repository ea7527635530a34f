/**
 * What a run would do, without doing it: per job a hit, a miss with the reason, or what it waits for.
 * No stage's body is loaded; what can fail before the work starts fails here.
 */
import { Effect, Schema } from "effect"
import type { Digest } from "../storage/Digest.ts"
import { Hasher } from "../storage/Digest.ts"
import type { StoreError } from "../storage/ObjectStore.ts"
import { Capabilities, CodeClosure, type CodeUnreadable, type JobCode, namesIn } from "./CodeClosure.ts"
import { damaged, forced, type JobDescription, leavesOf, type MissReason } from "./Explain.ts"
import {
  type ExternalRecords,
  type ExternalUnreadable,
  externalDigests,
  keyParams,
  recordsOf
} from "./ExternalInputs.ts"
import { explainByFiles } from "./explainByFiles.ts"
import { jobKey, type NotCanonical } from "./Fingerprint.ts"
import { inputDigests, type Manifest, type ManifestInputs } from "./Manifest.ts"
import type { Lookup } from "./ManifestFinder.ts"
import { ManifestStore } from "./ManifestStore.ts"
import { dependenciesOf, type Pipeline, type PipelineJob } from "./Pipeline.ts"
import { type Selected, type Selection, select } from "./Selection.ts"
import { DefinitionError, type Pool } from "./Stage.ts"

export type JobState =
  | { readonly _tag: "Hit"; readonly key: Digest; readonly manifest: Manifest; readonly code: JobCode }
  | { readonly _tag: "Miss"; readonly key: Digest; readonly reason: MissReason; readonly code: JobCode }
  /** Its key depends on what the jobs in `on` will make; they run first. */
  | { readonly _tag: "Waits"; readonly on: ReadonlyArray<string> }

/** The state of a job whose inputs are known. */
export type KnownState = Exclude<JobState, { readonly _tag: "Waits" }>

export interface PlannedJob {
  readonly name: string
  readonly stage: string
  readonly pool: Pool
  readonly dependsOn: ReadonlyArray<string>
  /** Whether the run may run it; otherwise it is here because a selected job reads from it, and is a hit. */
  readonly selected: boolean
  readonly forced: boolean
  /** Forced, and from the beginning: what it saved before is not gone on from. */
  readonly afresh: boolean
  readonly externals: ExternalRecords
  readonly job: PipelineJob
  readonly state: JobState
}

export interface Plan {
  readonly pipeline: Pipeline
  /** The selected jobs and what they read from, in an order in which every job stands behind its inputs. */
  readonly jobs: ReadonlyArray<PlannedJob>
}

/** The machine, with its settings, cannot do what a param asks for. */
export class CapabilityRefused extends Schema.TaggedError<CapabilityRefused>()("CapabilityRefused", {
  job: Schema.String,
  param: Schema.String,
  capability: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    const wish = `Job "${this.job}" asks for ${this.capability} (${this.param})`
    return `${wish}, which this machine cannot do: ${this.reason}`
  }
}

/** A selected job reads from one that has no result and is not selected. */
export class UpstreamMissing extends Schema.TaggedError<UpstreamMissing>()("UpstreamMissing", {
  job: Schema.String,
  missing: Schema.Array(Schema.Struct({ job: Schema.String, reason: Schema.String }))
}) {
  override get message() {
    const missing = this.missing.map(({ job, reason }) => `"${job}" (${reason})`).join(", ")
    const names = this.missing.map(({ job }) => job).join(",")
    return (
      `Job "${this.job}" needs the results of ${missing}, which are not there. ` +
      `Run ${names} first, or select them too.`
    )
  }
}

export type PlanError =
  | DefinitionError
  | CapabilityRefused
  | ExternalUnreadable
  | UpstreamMissing
  | CodeUnreadable
  | StoreError

export type Identified = Pick<PlannedJob, "job" | "externals">

/** What is known of a job once its inputs are there. */
export interface Settled extends Identified {
  readonly inputs: ManifestInputs
  readonly code: JobCode
}

/** The inputs and the code of a job. The code is today's for what its params and inputs name. */
export const settle = Effect.fnUntraced(function* (
  { externals, job }: Identified,
  manifestOf: (job: string) => Manifest
) {
  const { params, stage } = job.ref
  const named = () => dependenciesOf(job).map((name) => manifestOf(name).output.value)
  const code = yield* (yield* CodeClosure).of({
    stageName: stage.stageName,
    resultServices: stage.resultServices ?? [],
    names: () => namesIn([keyParams(params, externals), ...named()])
  })
  return { job, externals, inputs: inputsFrom(job, manifestOf), code } satisfies Settled as Settled
})

/** What a job's key is made of. */
export const describe = ({ code, externals, inputs, job }: Settled): JobDescription => ({
  stage: job.ref.stage.stageName,
  params: keyParams(job.ref.params, externals),
  code: code.identity,
  lines: code.lines,
  inputs: inputDigests(inputs),
  externals
})

export const keyOf = Effect.fnUntraced(function* ({ code, externals, job, ...rest }: Settled) {
  const hasher = yield* Hasher
  return yield* Effect.try({
    try: () =>
      jobKey(hasher, {
        ...describe({ code, externals, job, ...rest }),
        code: code.identity.digest,
        externals: externalDigests(externals)
      }),
    catch: (error) =>
      new DefinitionError({ where: `params of job "${job.name}"`, message: (error as NotCanonical).message })
  })
})

/** Whether a stored result is still of the type that the job's stage makes: contracts are in no key. */
export const fitsType =
  ({ ref: { type } }: PipelineJob) =>
  ({ output }: Manifest): boolean =>
    output.type === type.name && Schema.decodeUnknownResult(type.schema)(output.value)._tag === "Success"

/** A sound manifest under the key whose value still fits the stage's type. */
export const findResult = Effect.fnUntraced(function* (job: PipelineJob, key: Digest) {
  const found = yield* (yield* ManifestStore).find(key)
  if (found._tag !== "Found" || fitsType(job)(found.manifest)) return found
  const { type } = job.ref
  const reason = `the stored result does not fit the type "${type.name}" any more`
  return { _tag: "Broken", reason } satisfies Lookup as Lookup
})

/** Looks a job up, and says why where it is a miss. */
export const lookUp = Effect.fnUntraced(function* (pipeline: string, settled: Settled, isForced: boolean) {
  const { code, job } = settled
  const key = yield* keyOf(settled)
  const miss = (reason: MissReason): KnownState => ({ _tag: "Miss", key, reason, code })
  if (isForced) return miss(forced)
  const found = yield* findResult(job, key)
  if (found._tag === "Found") return { _tag: "Hit", key, manifest: found.manifest, code } as KnownState
  if (found._tag === "Broken") return miss(damaged(found.reason))
  const recent = yield* (yield* ManifestStore).recent(pipeline, job.name)
  return miss(yield* explainByFiles(describe(settled), recent))
})

/** The inputs of a job as its manifest records them. */
export const inputsFrom = (job: PipelineJob, manifestOf: (job: string) => Manifest): ManifestInputs => {
  const record = (name: string) => {
    const { jobKey: key, output } = manifestOf(name)
    return { digest: output.digest, jobKey: key }
  }
  return Object.fromEntries(
    Object.entries(job.inputs).map(([input, names]) => [
      input,
      typeof names === "string"
        ? { _tag: "One" as const, artifact: record(names) }
        : {
            _tag: "Many" as const,
            artifacts: Object.fromEntries(Object.entries(names).map(([key, name]) => [key, record(name)]))
          }
    ])
  )
}

const capabilityParam = (params: Schema.JsonObject, capability: string): string => {
  const leaf = Object.entries(leavesOf(params)).find(([, value]) => value === JSON.stringify(capability))
  return leaf === undefined ? "its params" : `${leaf[0]} = ${leaf[1]}`
}

/** Whether it may run, and has something to ask of the machine. */
const mayAsk = ({ job, selected, state }: PlannedJob): boolean =>
  selected && state._tag !== "Hit" && job.ref.stage.capabilities !== undefined

const checkCapabilities = Effect.fnUntraced(function* (planned: PlannedJob) {
  const { stage, params } = planned.job.ref
  const { refusal } = yield* Capabilities
  const decoded = Schema.decodeUnknownSync(stage.params)(params)
  for (const capability of stage.capabilities?.(decoded as never) ?? []) {
    const reason = yield* refusal(capability)
    if (reason !== undefined) {
      const param = capabilityParam(params, capability)
      return yield* new CapabilityRefused({ job: planned.name, param, capability, reason })
    }
  }
})

const reasonText = (state: JobState): string => {
  if (state._tag === "Miss") return state.reason.text
  return state._tag === "Waits" ? `waits for ${state.on.join(", ")}` : "hit"
}

const checkUpstream = (jobs: ReadonlyArray<PlannedJob>): Effect.Effect<void, UpstreamMissing> => {
  const missing = jobs.filter((job) => !job.selected && job.state._tag !== "Hit")
  const names = new Set(missing.map(({ name }) => name))
  const reader = jobs.find((job) => job.selected && job.dependsOn.some((name) => names.has(name)))
  if (reader === undefined) return Effect.void
  const named = missing.map((job) => ({ job: job.name, reason: reasonText(job.state) }))
  return new UpstreamMissing({ job: reader.name, missing: named })
}

/** Which code it needs, its inputs may decide; that there is some can be told before. */
const waits = Effect.fnUntraced(function* ({ ref: { stage } }: PipelineJob, on: ReadonlyArray<string>) {
  const { resultServices = [], stageName } = stage
  yield* (yield* CodeClosure).check({ stageName, resultServices })
  return { _tag: "Waits", on } satisfies JobState as JobState
})

const planJob = Effect.fnUntraced(function* (
  pipeline: Pipeline,
  selected: Selected,
  job: PipelineJob,
  before: ReadonlyMap<string, PlannedJob>
) {
  const { stage } = job.ref
  const externals = yield* recordsOf(job.name, job.ref)
  const dependsOn = dependenciesOf(job)
  const on = dependsOn.filter((name) => before.get(name)!.state._tag !== "Hit")
  const isForced = selected.isForced(job.name)
  const manifestOf = (name: string) => {
    const state = before.get(name)!.state
    return (state as Extract<JobState, { readonly _tag: "Hit" }>).manifest
  }
  const state: JobState =
    on.length > 0
      ? yield* waits(job, on)
      : yield* lookUp(pipeline.name, yield* settle({ job, externals }, manifestOf), isForced)
  return {
    name: job.name,
    stage: stage.stageName,
    pool: stage.pool ?? "cpu",
    dependsOn,
    selected: selected.mayRun(job.name),
    forced: isForced,
    afresh: selected.isAfresh(job.name),
    externals,
    job,
    state
  } satisfies PlannedJob
})

const planJobs = Effect.fn("Plan.planJobs")(function* (pipeline: Pipeline, selected: Selected) {
  const planned = new Map<string, PlannedJob>()
  for (const job of selected.jobs) {
    planned.set(job.name, yield* planJob(pipeline, selected, job, planned))
  }
  return [...planned.values()]
})

/** Plans a pipeline, or the part of it that is selected. */
export const make = Effect.fn("Plan.make")(function* (pipeline: Pipeline, selection: Selection) {
  const selected = yield* Effect.try({
    try: () => select(pipeline, selection),
    catch: (error) => error as DefinitionError
  })
  const store = yield* ManifestStore
  const find = yield* store.survey(pipeline.name)
  const jobs = yield* Effect.provideService(planJobs(pipeline, selected), ManifestStore, { ...store, find })
  const hits = jobs.flatMap(({ state }) => (state._tag === "Hit" ? [state.key] : []))
  yield* store.keep(pipeline.name, hits)
  yield* checkUpstream(jobs)
  yield* Effect.forEach(jobs.filter(mayAsk), checkCapabilities, { discard: true })
  return { pipeline, jobs } satisfies Plan
})

/** The selected jobs that are no hits: what a run would, or may, do. */
export const pendingJobs = (plan: Plan): ReadonlyArray<PlannedJob> =>
  plan.jobs.filter((job) => job.selected && job.state._tag !== "Hit")
