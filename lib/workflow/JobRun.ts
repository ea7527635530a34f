/** One job of a run, from "its inputs are settled" to its record: skip, hit, or execute and publish. */
import { Cause, DateTime, Effect, Option, Schema, Semaphore } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { Executor, type JobSignal } from "./Executor.ts"
import { artifactDigest, type NotCanonical } from "./Fingerprint.ts"
import { blobsOf, type Manifest, type ManifestInputs } from "./Manifest.ts"
import { ManifestStore, type Published } from "./ManifestStore.ts"
import { inputsFrom, lookUp, type Plan, type PlannedJob } from "./Plan.ts"
import { Reporter } from "./Reporter.ts"
import * as ResumePoint from "./ResumePoint.ts"
import type { RunEvent } from "./RunEvent.ts"
import type { JobFailure, JobRecord } from "./RunReport.ts"

/** Places for running jobs. */
export interface JobSlots {
  /** Waits for a place in the pool. */
  readonly inPool: (
    pool: PlannedJob["pool"]
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** One at a time per key: the second of two equal jobs finds the first one's result. */
  readonly perKey: (key: Digest) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const makeJobSlots = Effect.fn("makeJobSlots")(function* (concurrency: number) {
  const pools = { light: yield* Semaphore.make(concurrency), tensor: yield* Semaphore.make(1) }
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
  readonly slots: JobSlots
  readonly stopping: Effect.Effect<boolean>
}

export interface JobOutcome {
  readonly record: JobRecord
  readonly manifest: Manifest | undefined
}

/** The artifact is one that cannot be kept: it points to bytes that nobody stored, or has no stable form. */
export class OutputUnusable extends Schema.TaggedError<OutputUnusable>()("OutputUnusable", {
  jobName: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `The output of job "${this.jobName}" cannot be kept: ${this.reason}`
  }
}

const blank = (planned: PlannedJob): JobRecord => ({
  name: planned.name,
  stage: planned.stage,
  key: null,
  state: "skipped",
  seconds: 0,
  outputDigest: null,
  error: null,
  notes: []
})

interface FailureFields {
  readonly _tag?: string
  /** Of `StageFailed`: the tag of the stage's own error, which says more. */
  readonly errorTag?: string
  readonly message?: string
  readonly logTail?: ReadonlyArray<string>
}

const failureOf = (cause: Cause.Cause<unknown>): JobFailure => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause)) as FailureFields | undefined
  if (error === undefined) return { tag: "Defect", message: Cause.pretty(cause), logTail: [] }
  return {
    tag: error.errorTag ?? error._tag ?? "Error",
    message: error.message ?? String(error),
    logTail: error.logTail ?? []
  }
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

const checkedDigest = Effect.fn("JobRun.checkedDigest")(function* (planned: PlannedJob, value: Schema.Json) {
  const hasher = yield* Hasher
  const blobs = yield* BlobStore
  const unusable = (reason: string) => new OutputUnusable({ jobName: planned.name, reason })
  const digest = yield* Effect.try({
    try: () => artifactDigest(hasher, planned.job.ref.type.name, value),
    catch: (error) => unusable((error as NotCanonical).message)
  })
  for (const ref of blobsOf(value)) {
    if (!(yield* blobs.has(ref)))
      return yield* unusable(`it points to blob ${ref.blob}, which was not stored`)
  }
  return digest
})

const publishedNote = (published: Published): string | undefined => {
  if (published._tag === "Published") return undefined
  if (published._tag === "Adopted") return "another run published this job first: its result is used"
  const { manifest, previous } = published
  if (previous._tag !== "Found") return "a broken result was replaced"
  const [before, after] = [previous.manifest.output.digest, manifest.output.digest]
  return before === after
    ? "computed again, with the same result"
    : `computed again, with another result: ${before} → ${after}`
}

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

/** Executes, publishes, and only then forgets the saved state. */
const execute = Effect.fn("JobRun.execute")(function* (
  scope: RunScope,
  planned: PlannedJob,
  key: Digest,
  inputs: ManifestInputs,
  manifestOf: (name: string) => Manifest
) {
  const { emit } = yield* Reporter
  const executor = yield* Executor
  const { stage, params } = planned.job.ref
  if (planned.afresh) yield* ResumePoint.clear(key)
  yield* emit({ _tag: "JobStarted", job: planned.name, key })
  const onSignal = (signal: JobSignal) => emit(signalled(planned.name, signal))
  const started = yield* DateTime.now
  const request = {
    jobName: planned.name,
    jobKey: key,
    stage,
    params,
    inputs: requestInputs(planned, manifestOf)
  }
  const result = yield* executor.execute(request, onSignal)
  const seconds = ((yield* DateTime.now).epochMilliseconds - started.epochMilliseconds) / 1000
  const digest = yield* checkedDigest(planned, result.value)
  const made: Manifest = {
    schemaVersion: 1,
    jobKey: key,
    pipeline: scope.plan.pipeline.name,
    job: planned.name,
    stage: planned.stage,
    params,
    inputs,
    code: planned.code,
    output: { type: planned.job.ref.type.name, digest, value: result.value },
    provenance: {
      ...result.provenance,
      createdAt: DateTime.formatIso(started),
      seconds,
      runId: scope.runId
    }
  }
  const published = yield* (yield* ManifestStore).publish(made, { replace: planned.forced })
  yield* Effect.ignore(ResumePoint.clear(key))
  const note = publishedNote(published)
  if (note !== undefined) yield* emit({ _tag: "JobNote", job: planned.name, line: note })
  const { manifest } = published
  const outputDigest = manifest.output.digest
  yield* emit({ _tag: "JobFinished", job: planned.name, key, seconds, outputDigest })
  const notes = note === undefined ? [] : [note]
  return {
    record: { ...blank(planned), key, state: "ran", seconds, outputDigest, notes },
    manifest
  } satisfies JobOutcome as JobOutcome
})

const skipped = Effect.fn("JobRun.skipped")(function* (planned: PlannedJob, because: string, key?: Digest) {
  const { emit } = yield* Reporter
  yield* emit({ _tag: "JobSkipped", job: planned.name, because })
  const record: JobRecord = { ...blank(planned), key: key ?? null, notes: [because] }
  return { record, manifest: undefined } satisfies JobOutcome as JobOutcome
})

const hit = Effect.fn("JobRun.hit")(function* (planned: PlannedJob, key: Digest, manifest: Manifest) {
  const { emit } = yield* Reporter
  yield* emit({ _tag: "JobHit", job: planned.name, key })
  const outputDigest = manifest.output.digest
  const record: JobRecord = { ...blank(planned), key, state: "hit", outputDigest }
  return { record, manifest } satisfies JobOutcome as JobOutcome
})

const failed = Effect.fn("JobRun.failed")(function* (
  planned: PlannedJob,
  cause: Cause.Cause<unknown>,
  key?: Digest
) {
  if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause as Cause.Cause<never>)
  const { emit } = yield* Reporter
  const error = failureOf(cause)
  yield* emit({ _tag: "JobFailed", job: planned.name, error })
  const record: JobRecord = { ...blank(planned), key: key ?? null, state: "failed", error }
  return { record, manifest: undefined } satisfies JobOutcome as JobOutcome
})

const stopNote = "the run was asked to stop"

const proceed = Effect.fn("JobRun.proceed")(function* (
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
  const inputs = inputsFrom(planned.job, manifestOf)
  const look = lookUp(scope.plan.pipeline.name, planned, inputs, planned.forced)
  const state = yield* look
  if (state._tag === "Hit") return yield* hit(planned, state.key, state.manifest)
  return yield* Effect.gen(function* () {
    if (yield* scope.stopping) return yield* skipped(planned, stopNote, state.key)
    // Meanwhile an equal job of this run, or another run, may have published it.
    const now = yield* look
    if (now._tag === "Hit") return yield* hit(planned, now.key, now.manifest)
    return yield* execute(scope, planned, state.key, inputs, manifestOf).pipe(
      Effect.catchTag("JobInterrupted", (error) => skipped(planned, error.message, state.key)),
      Effect.catchCause((cause) => failed(planned, cause, state.key))
    )
  }).pipe(scope.slots.inPool(planned.pool), scope.slots.perKey(state.key))
})

/** Never fails: errors and defects become the job's record. Interruption passes through. */
export const runJob = (scope: RunScope, planned: PlannedJob, before: ReadonlyMap<string, JobOutcome>) =>
  Effect.catchCause(proceed(scope, planned, before), (cause) => failed(planned, cause))
