/** One job of a run, from "its inputs are settled" to its record: skip, hit, or execute and publish. */
import { type Cause, DateTime, Effect, Option, type Schema, Semaphore } from "effect"
import { type Digest, Hasher } from "../storage/Digest.ts"
import type { StoreError } from "../storage/ObjectStore.ts"
import type { Scope } from "../storage/Signature.ts"
import { Executor, type JobRequest, type JobSignal } from "./Executor.ts"
import { externalDigests, unchanged } from "./ExternalInputs.ts"
import { foldBase } from "./Fingerprint.ts"
import type { Progress } from "./JobContext.ts"
import { blank, failed, failureOf, hit, type JobOutcome, noted, skipped, withRetries } from "./JobOutcome.ts"
import { inputDigests, type Manifest } from "./Manifest.ts"
import type { Lookup } from "./ManifestFinder.ts"
import { ManifestStore } from "./ManifestStore.ts"
import { findResult, keyOf, type Plan, type PlannedJob, type Settled, settle } from "./Plan.ts"
import { outputDigest, publishedElsewhere, publishKept, publishMade } from "./Publishing.ts"
import { Reporter } from "./Reporter.ts"
import * as ResumePoint from "./ResumePoint.ts"
import type { RunEvent } from "./RunEvent.ts"
import { singleFlight } from "./SingleFlight.ts"
import type { Pool } from "./Stage.ts"
import type { StartRule } from "./StartRule.ts"
import { limited } from "./TimeLimit.ts"

/** Places for running jobs. */
export interface JobSlots {
  /** Waits for a place in the pool. */
  readonly inPool: (pool: Pool) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** One at a time per key: the second of two equal jobs finds the first one's result. */
  readonly perKey: (key: Digest) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** `width`: how many jobs of each pool run at a time. */
export const makeJobSlots = Effect.fn("makeJobSlots")(function* (width: { readonly [P in Pool]: number }) {
  const pools = { cpu: yield* Semaphore.make(width.cpu), gpu: yield* Semaphore.make(width.gpu) }
  const keys = new Map<Digest, Semaphore.Semaphore>()
  return {
    inPool: (pool) => Semaphore.withPermit(pools[pool]),
    perKey: (key) => {
      const held = keys.get(key) ?? Semaphore.makeUnsafe(1)
      keys.set(key, held)
      return Semaphore.withPermit(held)
    }
  } satisfies JobSlots as JobSlots
})

export interface RunScope {
  readonly plan: Plan
  readonly runId: string
  /** Whose private states jobs go on from. */
  readonly stateScope: Scope
  readonly slots: JobSlots
  readonly starts: StartRule
  /** Of one attempt, by job, where it is another than the stage's own. */
  readonly timeLimits: { readonly [job: string]: number }
  /** How long to wait for other runs that compute a job; `undefined` for as long as it takes. */
  readonly waitMillisMax: number | undefined
  /** Says that the run needs these results: those that are there afterwards are not swept. */
  readonly reads: (keys: ReadonlyArray<Digest>) => Effect.Effect<void>
}

const requestInputs = (job: PlannedJob, manifestOf: (name: string) => Manifest) =>
  Object.fromEntries(
    Object.entries(job.job.inputs).map(([input, names]): [string, Schema.Json] => [
      input,
      typeof names === "string"
        ? manifestOf(names).output.value
        : Object.fromEntries(Object.entries(names).map(([key, name]) => [key, manifestOf(name).output.value]))
    ])
  )

const signalled = (job: string, signal: JobSignal): RunEvent => {
  switch (signal._tag) {
    case "Note":
      return { _tag: "JobNote", job, line: signal.line }
    case "Output":
      return { _tag: "JobOutput", job, line: signal.line }
    case "Progress":
      return { _tag: "JobProgress", job, progress: signal.progress }
  }
}

const requestOf = Effect.fnUntraced(function* (
  scope: RunScope,
  planned: PlannedJob,
  key: Digest,
  { code, externals, inputs }: Settled,
  manifestOf: (name: string) => Manifest
) {
  const { stage, params } = planned.job.ref
  const base = foldBase(yield* Hasher, {
    stage: planned.stage,
    code: code.identity.digest,
    inputs: inputDigests(inputs),
    externals: externalDigests(externals)
  })
  return {
    jobName: planned.name,
    jobKey: key,
    stage,
    params,
    inputs: requestInputs(planned, manifestOf),
    externals,
    foldOrigin: { base, scope: scope.stateScope, runId: scope.runId, fromScratch: planned.forced }
  } satisfies JobRequest
})

/** Executes, publishes while `confirm` says that the lease is ours, and only then forgets the saved state. */
const execute = Effect.fn("JobRun.execute")(function* (
  scope: RunScope,
  planned: PlannedJob,
  key: Digest,
  settled: Settled,
  manifestOf: (name: string) => Manifest,
  confirm: Effect.Effect<void, StoreError>
) {
  const { emit } = yield* Reporter
  const executor = yield* Executor
  const { code, inputs } = settled
  const { stage, params } = planned.job.ref
  yield* emit({ _tag: "JobStarted", job: planned.name, key })
  let reached: Progress | undefined
  const onSignal = (signal: JobSignal) => {
    if (signal._tag === "Progress") reached = signal.progress
    return emit(signalled(planned.name, signal))
  }
  const started = yield* DateTime.now
  const request = yield* requestOf(scope, planned, key, settled, manifestOf)
  const limitMillis = scope.timeLimits[planned.name] ?? stage.timeLimitMillis
  const result = yield* limited({ jobName: planned.name, limitMillis, reached: () => reached }, (control) =>
    executor.execute(request, onSignal, control)
  )
  const seconds = ((yield* DateTime.now).epochMilliseconds - started.epochMilliseconds) / 1000
  yield* unchanged(planned.name, planned.externals)
  const digest = yield* outputDigest(planned, result.value)
  const made: Manifest = {
    schemaVersion: 2,
    jobKey: key,
    pipeline: scope.plan.pipeline.name,
    job: planned.name,
    stage: planned.stage,
    params,
    inputs,
    ...(Object.keys(planned.externals).length > 0 && { externals: planned.externals }),
    code: code.identity,
    output: { type: planned.job.ref.type.name, digest, value: result.value },
    provenance: {
      ...result.provenance,
      createdAt: DateTime.formatIso(started),
      seconds,
      runId: scope.runId
    }
  }
  const { manifest, note } = yield* publishMade(planned, made, confirm)
  yield* Effect.ignore(ResumePoint.clear({ scope: scope.stateScope, jobKey: key }))
  if (note !== undefined) yield* emit({ _tag: "JobNote", job: planned.name, line: note })
  const finished = { seconds, outputDigest: manifest.output.digest }
  yield* emit({ _tag: "JobFinished", job: planned.name, key, ...finished })
  const notes = note === undefined ? [] : [note]
  return {
    record: { ...blank(planned), key, state: "ran", ...finished, notes },
    manifest
  } satisfies JobOutcome as JobOutcome
})

const manifestIn = (found: Lookup): Manifest | undefined =>
  found._tag === "Found" ? found.manifest : undefined

/** Its inputs that are not what they were, where that is why a job failed: they are misses from now on. */
const damagedInputs = Effect.fnUntraced(
  function* (cause: Cause.Cause<unknown>, { dependsOn }: PlannedJob, manifestOf: (name: string) => Manifest) {
    if (!["BlobCorrupt", "ObjectNotFound"].includes(failureOf(cause).tag)) return []
    const { inspect } = yield* ManifestStore
    const found = yield* Effect.forEach(dependsOn, (name) =>
      Effect.map(inspect(manifestOf(name)), (problem) =>
        problem === undefined
          ? []
          : [`its input "${name}" is damaged (${problem}): run again to make it anew`]
      )
    )
    return found.flat()
  },
  Effect.orElseSucceed((): ReadonlyArray<string> => [])
)

const proceed = Effect.fnUntraced(function* (
  scope: RunScope,
  planned: PlannedJob,
  before: ReadonlyMap<string, JobOutcome>
) {
  if (planned.state._tag === "Hit") return yield* hit(planned, planned.state.key, planned.state.manifest)
  const absent = planned.dependsOn.find((name) => before.get(name)!.manifest === undefined)
  if (absent !== undefined) {
    const { state } = before.get(absent)!.record
    return yield* skipped(planned, `its input "${absent}" ${state === "failed" ? "failed" : "was skipped"}`)
  }
  const manifestOf = (name: string) => before.get(name)!.manifest!
  const settled = yield* settle(planned, manifestOf)
  const key = yield* keyOf(settled)
  const look = Effect.map(findResult(planned.job, key), manifestIn)
  const claimed = Effect.flatMap(look, (now) =>
    now === undefined ? Effect.succeed(now) : Effect.andThen(scope.reads([key]), look)
  )
  const find = planned.forced ? Effect.succeed(undefined) : claimed
  // Of a job that could be looked up while planning it is known that it is no hit.
  const found = planned.state._tag === "Miss" ? undefined : yield* find
  if (found !== undefined) return yield* hit(planned, key, found)
  let isAfresh = planned.afresh
  const compute = Effect.fnUntraced(function* (confirm: Effect.Effect<void, StoreError>) {
    const kept = planned.forced ? Option.none() : yield* publishKept(planned, key, confirm)
    if (Option.isSome(kept)) return kept.value
    if (isAfresh) yield* ResumePoint.clear({ scope: scope.stateScope, jobKey: key })
    isAfresh = false
    return yield* execute(scope, planned, key, settled, manifestOf, confirm)
  })
  const attempt = singleFlight({
    job: planned.name,
    key,
    runId: scope.runId,
    stateScope: scope.stateScope,
    waitMillisMax: scope.waitMillisMax,
    starts: scope.starts,
    inPool: scope.slots.inPool(planned.pool),
    find: Effect.flatMap(find, (now) =>
      now === undefined ? Effect.succeed(Option.none()) : Effect.asSome(publishedElsewhere(planned, key, now))
    ),
    compute,
    refused: (because) => skipped(planned, because, key)
  })
  const notes: Array<string> = []
  return yield* withRetries(scope.starts, planned, notes, attempt).pipe(
    Effect.catchTag("JobInterrupted", (error) => skipped(planned, error.message, key)),
    Effect.catchCause((cause) =>
      Effect.gen(function* () {
        notes.push(...(yield* damagedInputs(cause, planned, manifestOf)))
        return yield* failed(scope.starts, planned, cause, key)
      })
    ),
    Effect.map((outcome) => noted(outcome, notes)),
    scope.slots.perKey(key)
  )
})

/** Never fails: errors and defects become the job's record. Interruption passes through. */
export const runJob = (scope: RunScope, planned: PlannedJob, before: ReadonlyMap<string, JobOutcome>) =>
  Effect.catchCause(proceed(scope, planned, before), (cause) => failed(scope.starts, planned, cause))
