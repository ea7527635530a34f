/** A reporter that can also say something that is no event of the run ("stopping ..."), between its lines. */
import { Effect } from "effect"
import type { Reporter } from "../../lib/workflow/Reporter.ts"

export interface RunReporter {
  readonly emit: Reporter["Service"]["emit"]
  readonly announce: (line: string) => Effect.Effect<void>
}

export const quietReporter: RunReporter = { emit: () => Effect.void, announce: () => Effect.void }
