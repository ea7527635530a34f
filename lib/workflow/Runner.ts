/**
 * Walks a plan: every job as soon as its inputs are there, as wide as its pool allows.
 *
 * Keys are made from content digests when inputs are known, so a rebuilt but equal input makes hits again
 * (early cutoff). After a job failed, by an error or a defect, those that run are finished and kept, and
 * nothing new is started; with `keepGoing` only what depends on it is left out.
 */

import { Context, DateTime, Deferred, Effect, Layer, Random } from "effect"
import type { BlobStore } from "../storage/BlobStore.ts"
import type { Digest, Hasher } from "../storage/Digest.ts"
import type { Leases, OwnerLiveness } from "../storage/Lease.ts"
import { ObjectStore } from "../storage/ObjectStore.ts"
import { Signer } from "../storage/Signature.ts"
import type { Capabilities, CodeClosure } from "./CodeClosure.ts"
import { Executor } from "./Executor.ts"
import type { ExternalInputs } from "./ExternalInputs.ts"
import type { JobOutcome } from "./JobOutcome.ts"
import { makeJobSlots, type RunScope, runJob } from "./JobRun.ts"
import { writeJson } from "./jsonObjects.ts"
import type { Manifest } from "./Manifest.ts"
import { ManifestStore } from "./ManifestStore.ts"
import { type RunRecord, whileOpen } from "./OpenRuns.ts"
import type { Pipeline } from "./Pipeline.ts"
import * as Plan from "./Plan.ts"
import { Reporter } from "./Reporter.ts"
import { RunReport, runReportKey, statusOf } from "./RunReport.ts"
import type { Selection } from "./Selection.ts"
import { makeStartRule } from "./StartRule.ts"

export interface RunOptions {
  readonly selection: Selection
  /** How many jobs of the pool `cpu` run at a time. */
  readonly concurrency: number
  /** The same of the pool `gpu`; one by default. */
  readonly gpuConcurrency?: number
  /** After a failure, start what does not depend on it all the same; by default nothing new is started. */
  readonly keepGoing?: boolean
  /** Milliseconds that one attempt may take, by job; where absent the stage's own limit holds. */
  readonly timeLimits?: { readonly [job: string]: number }
  /** How long a job waits for other runs that compute it; without it for as long as it takes. */
  readonly waitMillisMax?: number
}

export interface RunOutcome {
  readonly report: RunReport
  /** Of the jobs that were hits or ran. */
  readonly manifests: { readonly [job: string]: Manifest }
}

export class Runner extends Context.Service<
  Runner,
  {
    /**
     * Fails only before anything started; what fails later is in the report. Interrupting it kills running
     * jobs.
     */
    readonly run: (pipeline: Pipeline, options: RunOptions) => Effect.Effect<RunOutcome, Plan.PlanError>
    /**
     * Nothing new starts, running jobs stop at their next step with their state saved; `run` then ends
     * "stopped".
     */
    readonly requestStop: Effect.Effect<void>
  }
>()("lib/workflow/Runner") {}

/** Of the 24 bits behind the second, ten say when in the second, so that runs sort by their start. */
const chanceBits = 14

/** Sortable by time, readable, distinct: `20261123-233036-4f2ab7`. */
const makeRunId = Effect.gen(function* () {
  const now = yield* DateTime.now
  const digits = DateTime.formatIso(now).slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-")
  const inSecond = Math.floor(((now.epochMilliseconds % 1000) / 1000) * 2 ** 10)
  const suffix = inSecond * 2 ** chanceBits + (yield* Random.nextIntBetween(0, 2 ** chanceBits - 1))
  return `${digits}-${suffix.toString(16).padStart(6, "0")}`
})

/** Every job waits for its inputs' outcomes and settles its own, whatever happens to it. */
const walk = Effect.fn("Runner.walk")(function* (scope: RunScope) {
  const settled = new Map<string, JobOutcome>()
  const waited = new Map<string, Deferred.Deferred<JobOutcome>>()
  for (const planned of scope.plan.jobs) {
    // Most jobs are hits most of the time: they need no fiber.
    if (planned.state._tag === "Hit") settled.set(planned.name, yield* runJob(scope, planned, settled))
    else waited.set(planned.name, yield* Deferred.make<JobOutcome>())
  }
  const outcomeOf = (name: string) =>
    settled.has(name) ? Effect.succeed(settled.get(name)!) : Deferred.await(waited.get(name)!)
  yield* Effect.forEach(
    scope.plan.jobs.filter(({ name }) => waited.has(name)),
    Effect.fnUntraced(function* (planned) {
      const inputs = new Map<string, JobOutcome>()
      for (const name of planned.dependsOn) inputs.set(name, yield* outcomeOf(name))
      const outcome = yield* runJob(scope, planned, inputs)
      yield* Deferred.succeed(waited.get(planned.name)!, outcome)
    }),
    { concurrency: "unbounded", discard: true }
  )
  return yield* Effect.forEach(scope.plan.jobs, ({ name }) => outcomeOf(name))
})

const leaselessNote =
  "the store decides no conditional writes: runs that start together may compute the same job twice"

const hitsOf = ({ jobs }: Plan.Plan): ReadonlyArray<Digest> =>
  jobs.flatMap(({ state }) => (state._tag === "Hit" ? [state.key] : []))

/** Plans begun anew because a hit was swept in between; the last one is taken as it is. */
const numPlansMax = 5

/** Plans, and says what the run will read: hits that are still there then are not swept any more. */
const planned = Effect.fn("Runner.planned")(function* (
  pipeline: Pipeline,
  selection: Selection,
  record: RunRecord
) {
  const store = yield* ManifestStore
  for (let numPlans = 1; ; numPlans++) {
    const plan = yield* Plan.make(pipeline, selection)
    const hits = hitsOf(plan)
    if (Plan.pendingJobs(plan).length === 0) return plan
    yield* record.reads(hits)
    if (hits.length === 0 || numPlans === numPlansMax) return plan
    const found = yield* Effect.forEach(hits, yield* store.survey(pipeline.name))
    if (found.every(({ _tag }) => _tag === "Found")) return plan
  }
})

const runOpen = Effect.fn("Runner.run")(function* (
  pipeline: Pipeline,
  options: RunOptions,
  stop: Deferred.Deferred<void>,
  runId: string,
  record: RunRecord
) {
  const { emit } = yield* Reporter
  const started = yield* DateTime.now
  const plan = yield* planned(pipeline, options.selection, record)
  yield* emit({ _tag: "RunStarted", runId, plan })
  if (!(yield* ObjectStore).isConditional) yield* emit({ _tag: "RunNote", line: leaselessNote })
  const slots = yield* makeJobSlots({ cpu: options.concurrency, gpu: options.gpuConcurrency ?? 1 })
  const starts = yield* makeStartRule(stop, options.keepGoing ?? false)
  const { timeLimits = {}, waitMillisMax } = options
  const { scope: stateScope } = yield* Signer
  const { reads } = record
  const scope = { plan, runId, stateScope, slots, starts, timeLimits, waitMillisMax, reads }
  const outcomes = yield* walk(scope)
  const jobs = outcomes.map((outcome) => outcome.record)
  yield* (yield* ManifestStore).keep(
    pipeline.name,
    jobs.flatMap(({ key }) => key ?? [])
  )
  const report: RunReport = {
    schemaVersion: 1,
    runId,
    pipeline: pipeline.name,
    status: statusOf(jobs),
    startedAt: DateTime.formatIso(started),
    seconds: ((yield* DateTime.now).epochMilliseconds - started.epochMilliseconds) / 1000,
    jobs
  }
  // The caller gets the report in any case; a full disk has been told already, by the job that met it.
  yield* Effect.ignore(writeJson(RunReport, runReportKey(stateScope, runId), report))
  yield* emit({ _tag: "RunFinished", report })
  const manifests = Object.fromEntries(
    outcomes.flatMap(({ record, manifest }) => (manifest === undefined ? [] : [[record.name, manifest]]))
  )
  return { report, manifests } satisfies RunOutcome
})

const run = (pipeline: Pipeline, options: RunOptions, stop: Deferred.Deferred<void>) =>
  Effect.flatMap(makeRunId, (runId) =>
    Effect.flatMap(Signer, ({ scope }) =>
      whileOpen({ runId, scope }, (record) => runOpen(pipeline, options, stop, runId, record))
    )
  )

type RunnerServices =
  | Leases
  | OwnerLiveness
  | ManifestStore
  | ObjectStore
  | BlobStore
  | Hasher
  | CodeClosure
  | Capabilities
  | Executor
  | ExternalInputs
  | Reporter
  | Signer

export const runnerLayer: Layer.Layer<Runner, never, RunnerServices> = Layer.effect(
  Runner,
  Effect.gen(function* () {
    const context = yield* Effect.context<RunnerServices>()
    const stop = yield* Deferred.make<void>()
    const executor = yield* Executor
    return {
      run: (pipeline, options) => Effect.provideContext(run(pipeline, options, stop), context),
      requestStop: Effect.andThen(Deferred.succeed(stop, undefined), executor.requestStop)
    }
  })
)
