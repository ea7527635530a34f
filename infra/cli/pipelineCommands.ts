/** The part of the command line that looks at a pipeline without running it. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
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

export const adopt = Command.make(
  "adopt",
  {
    pipeline,
    jobs: Argument.String("JOB").pipe(
      Argument.withDescription("Jobs whose change of code makes no difference"),
      Argument.atLeast(1)
    ),
    reason: Flag.String("reason").pipe(
      Flag.withMetavar("TEXT"),
      Flag.withDescription("Why it makes no difference; kept with the result")
    ),
    set,
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./adopt.ts")),
      (module) => module.adopt(flags)
    )
).pipe(
  Command.withDescription(
    "State that a change of code or packages does not alter a job's result: from now on the earlier one " +
      "counts. Refused where params or inputs differ. Who, when and why stays with the result (show, lineage)"
  ),
  Command.withShortDescription("State that a change of code alters no result"),
  Command.withExamples([
    {
      command: 'distillery adopt fashion-mnist teacher student --reason "only messages changed"',
      description: "Both are hits from now on"
    }
  ])
)

export const dag = Command.make(
  "dag",
  {
    pipeline,
    format: Flag.Literals("format", ["text", "mermaid", "svg"]).pipe(
      Flag.withDescription("A tree, a diagram for Markdown, or a picture (default: text)"),
      Flag.withDefault("text" as const)
    ),
    output: Flag.String("output").pipe(
      Flag.withMetavar("FILE"),
      Flag.withDescription("Write it there instead of printing it"),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    set,
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./dag.ts")),
      (module) => module.dag(flags)
    )
).pipe(
  Command.withDescription("Draw a pipeline: its jobs, what reads from what, which are hits and which to do"),
  Command.withShortDescription("Draw a pipeline as a tree or a picture"),
  Command.withExamples([
    { command: "distillery dag quickstart", description: "A tree on the terminal" },
    { command: "distillery dag quickstart --format svg --output quickstart.svg", description: "A picture" }
  ])
)
