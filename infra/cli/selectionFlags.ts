/** Flags that say which jobs of a pipeline are meant, and with which params. */
import { Flag } from "effect/cli"
import { set } from "./flags.ts"

const jobs = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("JOB[,JOB...]"), Flag.withDescription(description), Flag.atLeast(0))

export const selection = {
  only: jobs("only", "These jobs alone; what they read must be there already. May be repeated"),
  from: jobs("from", "These jobs and all that reads from them, directly or not. May be repeated"),
  downstream: jobs(
    "downstream",
    "What reads from these jobs, directly or not, but not these. May be repeated"
  ),
  to: jobs("to", "These jobs and all they read from; with --from, what lies between. May be repeated"),
  force: Flag.String("force").pipe(
    Flag.withMetavar("JOB[,JOB...]"),
    Flag.withDescription(
      "Run again though the result is there: --force=student for one job, --force for all selected"
    ),
    Flag.withOptionalValue("all"),
    Flag.atLeast(0)
  ),
  noCache: Flag.Boolean("no-cache").pipe(
    Flag.withDescription(
      "Compute all that is selected from the beginning: no result and no saved state is looked up; " +
        "what comes out is published"
    ),
    Flag.withDefault(false)
  ),
  set
}
