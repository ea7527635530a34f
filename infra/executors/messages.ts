/** What parent and child say to each other over Node's IPC channel, one JSON message each. */
import type { JobRequest, JobResult, JobSignal } from "../../lib/workflow/Executor.ts"
import type { Pool } from "../../lib/workflow/Stage.ts"
import type { StoreTraffic } from "../stores/TrafficMeter.ts"
import type { StateAnswer, StateQuestion } from "./stateQuestions.ts"

/** A job, and where its code lies: the bundle exports the stage, its packages resolve from `packageRoot`. */
export interface ChildRequest extends Omit<JobRequest, "stage"> {
  readonly stageName: string
  /** Whether it computes with tensors: only then is a runtime loaded for it. */
  readonly pool: Pool
  readonly bundleFile: string
  readonly packageRoot: string
}

export type ToChild =
  /** `isLast`: the child ends after it, even if it could serve again. */
  | { readonly _tag: "Run"; readonly request: ChildRequest; readonly isLast: boolean }
  /** Finish the current step, save the state, end the job. */
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Answer"; readonly id: number; readonly answer: StateAnswer }

/** How a job ended. After `Done` with `isReusable` the child waits for the next one; otherwise it ends. */
export type JobEnding =
  | { readonly _tag: "Done"; readonly result: JobResult; readonly isReusable: boolean }
  | {
      readonly _tag: "Failed"
      readonly errorTag: string
      readonly reason: string
      readonly transient: boolean
    }
  | { readonly _tag: "Stopped" }

export type FromChild =
  | { readonly _tag: "Signal"; readonly signal: JobSignal }
  /** What the job moved to and from the store; told before its ending. */
  | { readonly _tag: "Traffic"; readonly traffic: StoreTraffic }
  /** The child has no key. Answered under the same number. */
  | { readonly _tag: "Question"; readonly id: number; readonly question: StateQuestion }
  | JobEnding

/**
 * Ends what a job printed, on both streams, where the child lives on: the channel and the streams are read in
 * any order. EOT, which no text holds.
 */
export const outputEnd = "\u0004"
