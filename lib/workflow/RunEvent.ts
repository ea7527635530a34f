/** What happens during a run, in order; a `Reporter` turns it into lines, live views or JSON. */
import type { Digest } from "../storage/Digest.ts"
import type { LeaseRecord } from "../storage/Lease.ts"
import type { Progress } from "./JobContext.ts"
import type { Plan } from "./Plan.ts"
import type { JobFailure, RunReport } from "./RunReport.ts"

export type RunEvent =
  | { readonly _tag: "RunStarted"; readonly runId: string; readonly plan: Plan }
  | { readonly _tag: "RunNote"; readonly line: string }
  /**
   * Another run computes it, and is waited for. Told when the waiting begins, when the holder changes, and
   * every minute.
   */
  | {
      readonly _tag: "JobWaiting"
      readonly job: string
      readonly key: Digest
      /** `undefined` where the lease in the store is unreadable. */
      readonly holder: LeaseRecord | undefined
    }
  /** It has a place in its pool and its body is about to run; once for each attempt. */
  | { readonly _tag: "JobStarted"; readonly job: string; readonly key: Digest }
  | { readonly _tag: "JobProgress"; readonly job: string; readonly progress: Progress }
  | { readonly _tag: "JobNote"; readonly job: string; readonly line: string }
  /** A line that its process printed: for the log, not for the terminal. */
  | { readonly _tag: "JobOutput"; readonly job: string; readonly line: string }
  | { readonly _tag: "JobHit"; readonly job: string; readonly key: Digest }
  | {
      readonly _tag: "JobFinished"
      readonly job: string
      readonly key: Digest
      readonly seconds: number
      readonly outputDigest: Digest
    }
  /** An attempt failed by an error that may pass; the next one starts after the wait. */
  | {
      readonly _tag: "JobRetrying"
      readonly job: string
      /** The one that failed, from 1. */
      readonly attempt: number
      readonly attemptsMax: number
      readonly waitSeconds: number
      readonly error: JobFailure
    }
  | { readonly _tag: "JobFailed"; readonly job: string; readonly error: JobFailure }
  /** It will not run: an input failed, another job failed, or the run was asked to stop. */
  | { readonly _tag: "JobSkipped"; readonly job: string; readonly because: string }
  | { readonly _tag: "RunFinished"; readonly report: RunReport }
