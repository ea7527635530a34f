/** The part of the command line that looks into stores and carries results from one to another. */
import { Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { json } from "./flags.ts"

const transfer = {
  what: Argument.String("PIPELINE|RUN|RESULT").pipe(
    Argument.withDescription(
      "The latest result of each job of a pipeline; what a run made or found; pipeline/job; the beginning " +
        "of a key (default: everything)"
    ),
    Argument.atLeast(0)
  ),
  alone: Flag.Boolean("alone").pipe(
    Flag.withDescription("Without what these were made from"),
    Flag.withDefault(false)
  ),
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Show what would be copied, and copy nothing"),
    Flag.withDefault(false)
  ),
  json
}

const store = "s3://bucket/prefix or a folder"
const whatIsKept =
  "What is there is skipped, so what was cut off goes on. Signatures and scopes stay as they are: whose " +
  "results count is decided by who reads them. Exit codes: 0 done, 2 usage, 4 some results are damaged"

const load = Effect.promise(() => import("./copy.ts"))

export const push = Command.make(
  "push",
  {
    ...transfer,
    to: Flag.String("to").pipe(Flag.withMetavar("STORE"), Flag.withDescription(`Where to: ${store}`))
  },
  (flags) => Effect.flatMap(load, (module) => module.copyStore(flags))
).pipe(
  Command.withDescription(`Copy results from the store to another one. ${whatIsKept}`),
  Command.withShortDescription("Copy results to another store"),
  Command.withExamples([
    { command: "distillery push quickstart --to s3://artifacts/team", description: "A pipeline's latest" },
    {
      command: "distillery push latest --to s3://artifacts/team --dry-run",
      description: "How much would that be?"
    }
  ])
)

export const pull = Command.make(
  "pull",
  {
    ...transfer,
    from: Flag.String("from").pipe(Flag.withMetavar("STORE"), Flag.withDescription(`Where from: ${store}`))
  },
  (flags) => Effect.flatMap(load, (module) => module.copyStore(flags))
).pipe(
  Command.withDescription(`Copy results from another store to this one. ${whatIsKept}`),
  Command.withShortDescription("Copy results from another store"),
  Command.withExamples([
    {
      command: "distillery pull quickstart/student --alone --from s3://artifacts/team",
      description: "A model to predict with"
    }
  ])
)

export const copy = Command.make(
  "copy",
  {
    from: Argument.String("FROM").pipe(Argument.withDescription(`A store: ${store}`)),
    to: Argument.String("TO").pipe(Argument.withDescription("Another one, which is made if it is not there")),
    ...transfer
  },
  (flags) => Effect.flatMap(load, (module) => module.copyStore(flags))
).pipe(
  Command.withDescription(`Copy results between any two stores. ${whatIsKept}`),
  Command.withShortDescription("Copy results between two stores"),
  Command.withExamples([
    { command: "distillery copy s3://artifacts/team ./backup", description: "All of a store, or what is new" }
  ])
)

export const ls = Command.make(
  "ls",
  {
    name: Argument.String("PIPELINE[/JOB]").pipe(
      Argument.withDescription("Its jobs, or each of a job's results (default: all pipelines)"),
      Argument.optional,
      Argument.map(Option.getOrUndefined)
    ),
    runs: Flag.Boolean("runs").pipe(
      Flag.withDescription("The latest runs, in place of pipelines"),
      Flag.withDefault(false)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./ls.ts")),
      (module) => module.ls(flags)
    )
).pipe(
  Command.withDescription(
    "Show what the store holds: pipelines, jobs, results and runs, with size and age, whoever made them"
  ),
  Command.withShortDescription("Show what the store holds"),
  Command.withExamples([
    { command: "distillery ls", description: "Which pipelines have results?" },
    { command: "distillery ls quickstart/student", description: "Each result of one job" }
  ])
)

export const du = Command.make(
  "du",
  {
    by: Flag.Literals("by", ["pipeline", "job", "scope"]).pipe(
      Flag.withDescription("What to add up (default: pipeline)"),
      Flag.withDefault("pipeline" as const)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./du.ts")),
      (module) => module.du(flags)
    )
).pipe(
  Command.withDescription(
    "Show what takes room in the store, what is shared counted once, and what gc would free"
  ),
  Command.withShortDescription("Show what takes room in the store"),
  Command.withExamples([{ command: "distillery du --by job", description: "Which jobs are large?" }])
)
