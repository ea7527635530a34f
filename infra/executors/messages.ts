/** What parent and child say to each other over Node's IPC channel, one JSON message each. */
import type { JobRequest, JobResult, JobSignal } from "../../lib/workflow/Executor.ts"
import type { Pool } from "../../lib/workflow/Stage.ts"

/** A job, and where its code lies: the bundle exports the stage, its packages resolve from `packageRoot`. */
export interface ChildRequest extends Omit<JobRequest, "stage"> {
  readonly stageName: string
  /** Whether it computes with tensors: only then is a runtime loaded for it. */
  readonly pool: Pool
  readonly bundleFile: string
  readonly packageRoot: string
}

export type ToChild =
  | { readonly _tag: "Run"; readonly request: ChildRequest }
  /** Finish the current step, save the state, end. */
  | { readonly _tag: "Stop" }

export type FromChild =
  | { readonly _tag: "Signal"; readonly signal: JobSignal }
  | { readonly _tag: "Done"; readonly result: JobResult }
  | {
      readonly _tag: "Failed"
      readonly errorTag: string
      readonly reason: string
      readonly transient: boolean
    }
  | { readonly _tag: "Stopped" }
