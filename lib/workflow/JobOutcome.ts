/** What becomes of a job, as it is told and recorded: a hit, skipped, failed, or tried again. */
import { Cause, Effect, Option } from "effect"
import type { Digest } from "../storage/Digest.ts"
import { defaultRetries, type FailedAttempt, retried } from "./Attempts.ts"
import type { Manifest } from "./Manifest.ts"
import type { PlannedJob } from "./Plan.ts"
import { Reporter } from "./Reporter.ts"
import type { JobFailure, JobRecord } from "./RunReport.ts"
import type { StartRule } from "./StartRule.ts"

export interface JobOutcome {
  readonly record: JobRecord
  readonly manifest: Manifest | undefined
}

export const blank = (planned: PlannedJob): JobRecord => ({
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

export const failureOf = (cause: Cause.Cause<unknown>): JobFailure => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause)) as FailureFields | undefined
  if (error === undefined) return { tag: "Defect", message: Cause.pretty(cause), logTail: [] }
  return {
    tag: error.errorTag ?? error._tag ?? "Error",
    message: error.message ?? String(error),
    logTail: error.logTail ?? []
  }
}

export const skipped = Effect.fn("JobRun.skipped")(function* (
  planned: PlannedJob,
  because: string,
  key?: Digest
) {
  const { emit } = yield* Reporter
  yield* emit({ _tag: "JobSkipped", job: planned.name, because })
  const record: JobRecord = { ...blank(planned), key: key ?? null, notes: [because] }
  return { record, manifest: undefined } satisfies JobOutcome as JobOutcome
})

export const hit = Effect.fnUntraced(function* (planned: PlannedJob, key: Digest, manifest: Manifest) {
  const { emit } = yield* Reporter
  yield* emit({ _tag: "JobHit", job: planned.name, key })
  const outputDigest = manifest.output.digest
  const record: JobRecord = { ...blank(planned), key, state: "hit", outputDigest }
  return { record, manifest } satisfies JobOutcome as JobOutcome
})

export const failed = Effect.fn("JobRun.failed")(function* (
  starts: StartRule,
  planned: PlannedJob,
  cause: Cause.Cause<unknown>,
  key?: Digest
) {
  if (Cause.hasInterruptsOnly(cause)) return yield* Effect.failCause(cause as Cause.Cause<never>)
  const { emit } = yield* Reporter
  const error = failureOf(cause)
  yield* starts.tellFailure(planned.name)
  yield* emit({ _tag: "JobFailed", job: planned.name, error })
  const record: JobRecord = { ...blank(planned), key: key ?? null, state: "failed", error }
  return { record, manifest: undefined } satisfies JobOutcome as JobOutcome
})

/** Tells of an attempt that failed and will be followed by another one. */
const tellRetry = Effect.fn("JobRun.tellRetry")(function* (planned: PlannedJob, failure: FailedAttempt) {
  const { emit } = yield* Reporter
  const { attempt, attemptsMax, error, waitMillis } = failure
  const { logTail, tag } = failureOf(Cause.fail(error))
  // Without "the job failed", which is said already.
  const message = error._tag === "StageFailed" ? error.reason : error.message
  const seconds = waitMillis / 1000
  yield* emit({
    _tag: "JobRetrying",
    job: planned.name,
    attempt,
    attemptsMax,
    waitSeconds: seconds,
    error: { tag, message, logTail }
  })
  return `attempt ${attempt} of ${attemptsMax} failed (${tag}) and was tried again after ${seconds} s`
})

/** Between two attempts its place in the pool is free for others. Every failed attempt leaves a note. */
export const withRetries = <E extends { readonly _tag: string }, R>(
  { stopAsked }: StartRule,
  planned: PlannedJob,
  notes: Array<string>,
  attempt: Effect.Effect<JobOutcome, E, R>
) =>
  Effect.flatMap(Effect.context<Reporter>(), (context) =>
    retried(attempt, {
      retries: planned.job.ref.stage.retries ?? defaultRetries,
      stopAsked,
      onRetry: (failure) =>
        tellRetry(planned, failure).pipe(
          Effect.tap((note) => Effect.sync(() => notes.push(note))),
          Effect.provideContext(context)
        )
    })
  )

export const noted = ({ manifest, record }: JobOutcome, notes: ReadonlyArray<string>): JobOutcome => ({
  record: { ...record, notes: [...notes, ...record.notes] },
  manifest
})
