/**
 * What the engine offers to a stage's body while it runs: progress, a place to resume from, a wish to stop.
 */
import { Context, type Effect, type Option, Schema } from "effect"
import type { BlobCorrupt } from "../storage/BlobStore.ts"
import type { Digest } from "../storage/Digest.ts"
import type { StoreError } from "../storage/ObjectStore.ts"
import type { Fold, FoldOptions } from "./Fold.ts"

/**
 * One line of a job's progress. `done` of `total` in `unit`; `facts` are shown as they come ("loss",
 * "images/s").
 */
export const Progress = Schema.Struct({
  phase: Schema.String,
  done: Schema.Number,
  total: Schema.Number,
  unit: Schema.String,
  facts: Schema.Record(Schema.String, Schema.Number)
})
export type Progress = typeof Progress.Type

/** The body stopped on request, its state saved; the job is neither done nor failed. */
export class JobStopped extends Schema.TaggedError<JobStopped>()("JobStopped", { message: Schema.String }) {}

export class JobContext extends Context.Service<
  JobContext,
  {
    readonly jobName: string
    /** Of the contract's `externals` when the job was planned: what is read must have these digests. */
    readonly externals: { readonly [name: string]: Digest }
    readonly report: (progress: Progress) => Effect.Effect<void>
    /** A line for the log: something noteworthy that is not progress (quarantined files, ...). */
    readonly note: (line: string) => Effect.Effect<void>
    /** True once the user asked to stop (Ctrl-C): save, then fail with `JobStopped`. */
    readonly stopRequested: Effect.Effect<boolean>
    /** The latest state saved under this job's key by an earlier attempt; absent where it is unreadable. */
    readonly loadResumePoint: Effect.Effect<Option.Option<Uint8Array>, StoreError | BlobCorrupt>
    /** Replaces the saved state, atomically: a kill at any moment leaves the old or the new one. */
    readonly saveResumePoint: (bytes: Uint8Array) => Effect.Effect<void, StoreError>
    /** For work that goes step by step: states between the steps, shared by all jobs that begin alike. */
    readonly fold: (options: FoldOptions) => Effect.Effect<Fold>
    /** Recorded in the manifest as provenance, outside the key (backend, threads, images/s, ...). */
    readonly provenance: (facts: Schema.JsonObject) => Effect.Effect<void>
  }
>()("lib/workflow/JobContext") {}
