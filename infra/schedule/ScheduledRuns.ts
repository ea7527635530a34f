/** How the pipeline of a schedule is run: in a process of its own, or as a test likes. */
import { Context, type Effect, Schema } from "effect"
import type { ScheduleRecord } from "./ScheduleBook.ts"

export class RunNotStarted extends Schema.TaggedError<RunNotStarted>()("RunNotStarted", {
  schedule: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the run of "${this.schedule}" could not be started: ${this.reason}`
  }
}

export class ScheduledRuns extends Context.Service<
  ScheduledRuns,
  {
    /**
     * Resolves to the exit code; `onStart` is told the process that runs. Interrupted, it asks the run to
     * stop with its state kept, and waits until it has.
     */
    readonly run: (
      schedule: ScheduleRecord,
      onStart: (pid: number) => Effect.Effect<void>
    ) => Effect.Effect<number, RunNotStarted>
  }
>()("infra/schedule/ScheduledRuns") {}
