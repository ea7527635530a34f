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
