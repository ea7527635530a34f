/** What a run did, job by job; recorded in the store under `runs/<scope>/<run id>.json`. */
import { Schema } from "effect"
import { Digest } from "../storage/Digest.ts"
import type { Scope } from "../storage/Signature.ts"

/** Where the reports of a scope's runs lie. They are not signed: a reader asks those scopes that it reads. */
export const runReportFolder = (scope: Scope): string => `runs/${scope}/`
export const runReportKey = (scope: Scope, runId: string): string => `${runReportFolder(scope)}${runId}.json`

export const JobFailure = Schema.Struct({
  /** The tag of the stage's own error (`DivergedError`, …), or `WorkerLost`, `StoreFull`, …, or `Defect`. */
  tag: Schema.String,
  message: Schema.String,
  logTail: Schema.Array(Schema.String)
})
export type JobFailure = typeof JobFailure.Type

export const JobRecord = Schema.Struct({
  name: Schema.String,
  stage: Schema.String,
  /** `null` where its inputs never came to be. */
  key: Schema.NullOr(Digest),
  state: Schema.Literals(["hit", "ran", "failed", "skipped"]),
  /** Time the job's body took; 0 where it did not run. */
  seconds: Schema.Number,
  outputDigest: Schema.NullOr(Digest),
  error: Schema.NullOr(JobFailure),
  notes: Schema.Array(Schema.String)
})
export type JobRecord = typeof JobRecord.Type

export const RunReport = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  runId: Schema.String,
  pipeline: Schema.String,
  status: Schema.Literals(["ok", "failed", "stopped"]),
  /** ISO 8601, UTC. */
  startedAt: Schema.String,
  seconds: Schema.Number,
  jobs: Schema.Array(JobRecord)
})
export type RunReport = typeof RunReport.Type

/** Failed beats stopped: what failed will not come right by running again. */
export const statusOf = (jobs: ReadonlyArray<JobRecord>): RunReport["status"] => {
  if (jobs.some((job) => job.state === "failed")) return "failed"
  return jobs.some((job) => job.state === "skipped") ? "stopped" : "ok"
}
