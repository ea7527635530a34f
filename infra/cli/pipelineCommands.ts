/** The part of the command line that looks at a pipeline without running it. */
import { Effect } from "effect"
import { Argument, Command } from "effect/cli"
import { json, pipeline, set } from "./flags.ts"

const someJobs = Argument.String("JOB").pipe(
  Argument.withDescription("Jobs of the pipeline (default: all)"),
  Argument.atLeast(0)
)

export const explain = Command.make("explain", { pipeline, jobs: someJobs, set, json }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./explain.ts")),
    (module) => module.explain(flags)
  )
).pipe(
  Command.withDescription(
    "Say of each job why it is a hit, a miss or waits: since when, all that changed, what would make a hit"
  ),
  Command.withShortDescription("Say why each job is a hit or a miss"),
  Command.withExamples([
    { command: "distillery explain quickstart student", description: "Why does it run again?" },
    {
      command: "distillery explain fashion-mnist --set student.temperature=8",
      description: "What would change, and what not?"
    }
  ])
)
