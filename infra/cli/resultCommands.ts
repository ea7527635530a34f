/** The part of the command line that looks at what runs did and made. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { json } from "./flags.ts"

export const log = Command.make(
  "log",
  {
    run: Argument.String("RUN").pipe(
      Argument.withDescription("A run's id or the beginning of it, latest, or latest~1 (default: latest)"),
      Argument.optional,
      Argument.map(Option.getOrElse(() => "latest"))
    ),
    jobs: Flag.String("job").pipe(
      Flag.withMetavar("JOB[,JOB...]"),
      Flag.withDescription("These jobs alone. May be repeated"),
      Flag.atLeast(0)
    ),
    follow: Flag.Boolean("follow").pipe(
      Flag.withAlias("f"),
      Flag.withDescription("As it happens, until the run ends; with --json one event a line"),
      Flag.withDefault(false)
    ),
    list: Flag.Boolean("list").pipe(
      Flag.withDescription("Show which runs there are, the latest 20, instead of one of them"),
      Flag.withDefault(false)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./log.ts")),
      (module) => module.log(flags)
    )
).pipe(
  Command.withDescription(
    "Show what a run did, job by job: notes, progress, and what its stages printed; also while it goes on"
  ),
  Command.withShortDescription("Show what a run did, job by job"),
  Command.withExamples([
    { command: "distillery log", description: "The latest run" },
    { command: "distillery log --follow --job student", description: "Watch one job of a run that goes on" },
    { command: "distillery log latest~1 --json", description: "The run before it, for another program" }
  ])
)

const reference = Argument.String("RESULT").pipe(
  Argument.withDescription("pipeline/job, a job alone, or the beginning of a digest (key, content or blob)")
)

export const show = Command.make(
  "show",
  {
    reference: Argument.String("RESULT|RUN").pipe(
      Argument.withDescription(
        "pipeline/job, a job alone, or the beginning of a digest; or a run: its id, latest, latest~1"
      )
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./show.ts")),
      (module) => module.show(flags)
    )
).pipe(
  Command.withDescription(
    "Show one result (params, inputs, blobs, where it comes from), or the jobs and scores of one run"
  ),
  Command.withShortDescription("Show one result, or one run"),
  Command.withExamples([
    { command: "distillery show quickstart/student", description: "The student of the latest run" },
    { command: "distillery show latest", description: "The latest run" }
  ])
)

export const diff = Command.make(
  "diff",
  {
    before: Argument.String("RUN").pipe(
      Argument.withDescription("A run's id or the beginning of it, latest, or latest~1")
    ),
    after: Argument.String("RUN").pipe(
      Argument.withDescription("The run to compare it with (default: latest)"),
      Argument.optional,
      Argument.map(Option.getOrElse(() => "latest"))
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./diff.ts")),
      (module) => module.diff(flags)
    )
).pipe(
  Command.withDescription("Compare two runs: jobs and why they changed, scores side by side, durations"),
  Command.withShortDescription("Compare two runs"),
  Command.withExamples([
    { command: "distillery diff latest~1", description: "What did the last change do?" },
    { command: "distillery diff 20261124-153257 4f2a --json", description: "Any two, for another program" }
  ])
)

export const lineage = Command.make(
  "lineage",
  {
    reference,
    format: Flag.Literals("format", ["text", "mermaid"]).pipe(
      Flag.withDescription("A tree, or a diagram for Markdown (default: text)"),
      Flag.withDefault("text" as const)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./lineage.ts")),
      (module) => module.lineage(flags)
    )
).pipe(
  Command.withDescription(
    "Show what a result was made from, up to its sources: each job, its stage, key and time, and adoptions"
  ),
  Command.withShortDescription("Show what a result was made from"),
  Command.withExamples([
    { command: "distillery lineage quickstart/student", description: "Teacher, images and all" }
  ])
)
