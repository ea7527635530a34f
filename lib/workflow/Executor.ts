/**
 * An Executor runs one job somewhere: in this process, in a child process, later on a queue. It never
 * publishes. `test/suites/executor.ts` is its contract.
 */
import { Context, type Effect, Schema } from "effect"
import type { Digest } from "../storage/Digest.ts"
import type { ExternalRecords } from "./ExternalInputs.ts"
import type { FoldOrigin } from "./Fold.ts"
import type { Progress } from "./JobContext.ts"
import type { Leak } from "./Leak.ts"
import type { AnyStage } from "./Stage.ts"

/** All that a job needs; plain data but for the stage, which executors elsewhere find by its name. */
export interface JobRequest {
  readonly jobName: string
  readonly jobKey: Digest
  readonly stage: AnyStage
  readonly params: Schema.JsonObject
  /** Encoded artifact values by input; a record of them where the input takes many. */
  readonly inputs: { readonly [input: string]: Schema.Json }
  /** Strict mode: what the body reads is watched; `declared` are the folders and files that it may read. */
  readonly watch?: { readonly declared: ReadonlyArray<string> }
  /** What the job reads from outside the store. */
  readonly externals: ExternalRecords
  readonly foldOrigin: FoldOrigin
}

export interface JobResult {
  /** The encoded artifact value. */
  readonly value: Schema.Json
  readonly provenance: Schema.JsonObject
  /** Of a watched job: what it read besides what its key knows of. */
  readonly leaks?: ReadonlyArray<Leak>
}

export type JobSignal =
  | { readonly _tag: "Progress"; readonly progress: Progress }
  | { readonly _tag: "Note"; readonly line: string }
  /** A line that the job's process printed. */
  | { readonly _tag: "Output"; readonly line: string }

/** The body failed with one of its own errors, or with a defect. */
export class StageFailed extends Schema.TaggedError<StageFailed>()("StageFailed", {
  jobName: Schema.String,
  stage: Schema.String,
  errorTag: Schema.String,
  reason: Schema.String,
  /** Whether it may pass by itself: the body's own error says so. */
  transient: Schema.Boolean,
  logTail: Schema.Array(Schema.String)
}) {
  override get message() {
    return `Job "${this.jobName}" (stage ${this.stage}) failed: ${this.reason}`
  }
}

/** The process that ran the job is gone: killed, crashed or out of memory. */
export class WorkerLost extends Schema.TaggedError<WorkerLost>()("WorkerLost", {
  jobName: Schema.String,
  how: Schema.String,
  /** Whether it may pass by itself: somebody killed it, or the system did to get memory back. */
  transient: Schema.Boolean,
  /** The system killed it, since it had no memory left. */
  isOutOfMemory: Schema.Boolean,
  logTail: Schema.Array(Schema.String)
}) {
  override get message() {
    const ended = `The process of job "${this.jobName}" ended early (${this.how}`
    const goesOn = "goes on from its last saved state"
    if (!this.isOutOfMemory) return `${ended}). Run again: it ${goesOn}.`
    return (
      `${ended}: the system ran out of memory). Free some, run fewer jobs at once (--concurrency), or ` +
      "let it take less (a training by a smaller microBatchSize or batchSize), and run again: " +
      `with the same params it ${goesOn}.`
    )
  }
}

/** The job stopped on request, its state saved. */
export class JobInterrupted extends Schema.TaggedError<JobInterrupted>()("JobInterrupted", {
  jobName: Schema.String
}) {
  override get message() {
    return `Job "${this.jobName}" was stopped; its state is kept, run again to go on.`
  }
}

export type JobError = StageFailed | WorkerLost | JobInterrupted

/** How one running job is ended, while others go on. */
export interface JobControl {
  /** Completes when it shall stop at its next step: `execute` then fails with `JobInterrupted`. */
  readonly stop: Effect.Effect<void>
  /** Completes when it shall end at once: `execute` then fails with `WorkerLost`. */
  readonly kill: Effect.Effect<void>
}

export class Executor extends Context.Service<
  Executor,
  {
    readonly execute: (
      request: JobRequest,
      onSignal: (signal: JobSignal) => Effect.Effect<void>,
      control?: JobControl
    ) => Effect.Effect<JobResult, JobError>
    /** Asks all running jobs to stop at their next step; `execute` then fails with `JobInterrupted`. */
    readonly requestStop: Effect.Effect<void>
  }
>()("lib/workflow/Executor") {}
