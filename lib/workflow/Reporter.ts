/** Receives the events of a run. Implementations for terminals and pipes live in `infra/reporting`. */
import { Context, Effect, Layer } from "effect"
import type { RunEvent } from "./RunEvent.ts"

export class Reporter extends Context.Service<
  Reporter,
  {
    /** Called in the order in which things happen; must be quick, jobs wait for it. */
    readonly emit: (event: RunEvent) => Effect.Effect<void>
  }
>()("lib/workflow/Reporter") {}

/** Appends every event to `events`: for tests. */
export const recordingReporterLayer = (events: Array<RunEvent>): Layer.Layer<Reporter> =>
  Layer.succeed(Reporter, { emit: (event) => Effect.sync(() => void events.push(event)) })
