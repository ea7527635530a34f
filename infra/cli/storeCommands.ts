/** The part of the command line that keeps the store in order. */
import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { json } from "./flags.ts"

export const gc = Command.make(
  "gc",
  {
    keepRuns: Flag.Int("keep-runs").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("Keep all results of the latest N runs (default: 10)"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))),
      Flag.withDefault(10)
    ),
    olderThan: Flag.String("older-than").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("Keep what was written within this time, as 14d or 12h (default: 14d)"),
      Flag.withDefault("14d")
    ),
    trash: Flag.String("trash").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("How long what was removed can be put back (default: 7d)"),
      Flag.withDefault("7d")
    ),
    restore: Flag.Boolean("restore").pipe(
      Flag.withDescription("Put back all that is in the trash"),
      Flag.withDefault(false)
    ),
    yes: Flag.Boolean("yes").pipe(
      Flag.withAlias("y"),
      Flag.withDescription("Move it to the trash; without this nothing is removed, only shown"),
      Flag.withDefault(false)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./gc.ts")),
      (module) => module.gc(flags)
    )
).pipe(
  Command.withDescription(
    "Show, and with --yes remove, what nobody needs: results that are neither the latest of a job nor of " +
      "the latest runs, nor young, nor what such were made from. Runs may go on meanwhile. It is moved to " +
      "the store's trash, and its room is freed when gc --yes is run after --trash TIME"
  ),
  Command.withShortDescription("Remove results that nobody needs (shows first)"),
  Command.withExamples([
    { command: "distillery gc", description: "What would go, by pipeline and job?" },
    { command: "distillery gc --keep-runs 3 --older-than 2d --yes", description: "Remove it" },
    { command: "distillery gc --yes --trash 0d", description: "Remove it, and free its room at once" },
    { command: "distillery gc --restore", description: "Put back what was removed" }
  ])
)

export const verify = Command.make(
  "verify",
  {
    repair: Flag.Boolean("repair").pipe(
      Flag.withDescription("Put what is damaged into quarantine, so that its jobs run again"),
      Flag.withDefault(false)
    ),
    from: Flag.String("from").pipe(
      Flag.withMetavar("STORE"),
      Flag.withDescription(
        "Heal what is damaged from this store, a folder or s3://bucket/prefix (repeatable)"
      ),
      Flag.atLeast(0)
    ),
    sample: Flag.Int("sample").pipe(
      Flag.withMetavar("PERCENT"),
      Flag.withDescription("Read only so many of the blobs, others each time (default: 100)"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))),
      Flag.withDefault(100)
    ),
    since: Flag.String("since").pipe(
      Flag.withMetavar("TIME"),
      Flag.withDescription("Read only blobs written within this time, as 14d or 12h"),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./verify.ts")),
      (module) => module.verify(flags)
    )
).pipe(
  Command.withDescription(
    "Read every result and every blob, and say what is damaged; with --repair or --from STORE mend it. " +
      "Exit codes: 0 all is well, 4 damage was found"
  ),
  Command.withShortDescription("Check every result and blob for damage"),
  Command.withExamples([
    { command: "distillery verify", description: "Is the store sound?" },
    { command: "distillery verify --repair", description: "Set aside what is damaged" },
    { command: "distillery verify --from s3://backup/distillery", description: "Heal it from a copy" }
  ])
)

export const doctor = Command.make("doctor", { json }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./doctor.ts")),
    (module) => module.doctor(flags)
  )
).pipe(
  Command.withDescription(
    "Look whether all that runs need works here, and which settings count: each line ok, warn or fail, and " +
      "the fix. Trains a small net for some seconds. Exit codes: 0 nothing is broken, 1 something is"
  ),
  Command.withShortDescription("Look whether everything works here"),
  Command.withExamples([
    { command: "distillery doctor", description: "Before the first run, or when in doubt" }
  ])
)

/** What doctor runs in a process of its own; not for people. */
export const selfTest = Command.make("self-test", {}, () =>
  Effect.flatMap(
    Effect.promise(() => import("./selfTest.ts")),
    (module) => module.selfTest()
  )
).pipe(Command.withDescription("Train a small net, traced and eagerly"), Command.unlisted)
