/** The part of the command line that is about schedules. */
import { Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { json, pipeline, set } from "./flags.ts"

const scheduleName = Argument.String("NAME").pipe(Argument.withDescription("A schedule's name"))
const maybeScheduleName = scheduleName.pipe(Argument.optional, Argument.map(Option.getOrUndefined))
const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(description),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  )

const scheduleAdd = Command.make(
  "add",
  {
    cron: Argument.String("CRON").pipe(
      Argument.withDescription("Minute, hour, day of month, month, day of week, in quotes; or @daily")
    ),
    pipeline,
    name: text("name", "NAME", "Name of the schedule (default: the pipeline's)"),
    timezone: text("timezone", "ZONE", "As Europe/Berlin (default: that of the machine it runs on)"),
    set
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./schedule.ts")),
      (module) => module.add(flags)
    )
).pipe(
  Command.withDescription("Add a schedule to this project"),
  Command.withExamples([
    {
      command: 'distillery schedule add "30 2 * * *" fashion-mnist --name nightly --timezone Europe/Berlin',
      description: "Every night at 02:30; where the clock jumps over that, at 03:00"
    },
    {
      command: 'distillery schedule add "0 * * * *" quickstart --set student.temperature=8',
      description: "Every hour"
    }
  ])
)

const scheduleList = Command.make("list", { json }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./schedule.ts")),
    (module) => module.list(flags)
  )
).pipe(Command.withDescription("Show the schedules, when they run next, and how the last run ended"))

const scheduleNext = Command.make(
  "next",
  {
    name: maybeScheduleName,
    count: Flag.Int("count").pipe(
      Flag.withAlias("n"),
      Flag.withMetavar("N"),
      Flag.withDescription("How many (default: 5)"),
      Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))),
      Flag.withDefault(5)
    )
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./schedule.ts")),
      (module) => module.next(flags)
    )
).pipe(Command.withDescription("Show when runs are due next: UTC, then the schedule's own time"))

const scheduleRemove = Command.make("remove", { name: scheduleName }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./schedule.ts")),
    (module) => module.remove(flags)
  )
).pipe(Command.withDescription("Remove a schedule"))

const exportCrontab = Command.make("crontab", { name: maybeScheduleName }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./exportSchedule.ts")),
    (module) => module.exportCrontab(flags)
  )
).pipe(
  Command.withDescription("Print lines for a crontab that run with cron's empty environment"),
  Command.withExamples([
    {
      command: "(crontab -l; npx distillery schedule export crontab) | crontab -",
      description: "Add all schedules to your crontab"
    }
  ])
)

const exportGithub = Command.make(
  "github",
  {
    name: maybeScheduleName,
    output: text("output", "FILE", "Write it there instead of printing it")
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./exportSchedule.ts")),
      (module) => module.exportGithub(flags)
    )
).pipe(
  Command.withDescription("Print a workflow for GitHub Actions: install, plan, run, report, summary"),
  Command.withExamples([
    {
      command: "distillery schedule export github nightly --output .github/workflows/nightly.yml",
      description: "Commit that file; with DISTILLERY_STORE=s3://… set, it keeps its artifacts there"
    }
  ])
)

export const schedule = Command.make("schedule").pipe(
  Command.withDescription("Say when pipelines are to run: by `distillery scheduler`, by cron, or on GitHub"),
  Command.withShortDescription("Say when pipelines are to run"),
  Command.withExamples([
    { command: 'distillery schedule add "30 2 * * *" quickstart', description: "Every night at 02:30" },
    { command: "distillery schedule list", description: "What is scheduled, and how it went" }
  ]),
  Command.withSubcommands([
    scheduleAdd,
    scheduleList,
    scheduleNext,
    scheduleRemove,
    Command.make("export").pipe(
      Command.withDescription("Print schedules for cron or for GitHub Actions"),
      Command.withSubcommands([exportCrontab, exportGithub])
    )
  ])
)

export const scheduler = Command.make(
  "scheduler",
  {
    names: scheduleName.pipe(Argument.atLeast(0)),
    once: Flag.Boolean("once").pipe(
      Flag.withDescription("Run what is due now and exit, with the exit code of the first run that failed"),
      Flag.withDefault(false)
    )
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./scheduler.ts")),
      (module) => module.scheduler(flags)
    )
).pipe(
  Command.withDescription(
    "Run schedules when they are due, until stopped. What was missed while it was down runs once"
  ),
  Command.withShortDescription("Run schedules when they are due"),
  Command.withExamples([
    {
      command: "distillery scheduler",
      description: "All schedules of this project; logs in .distillery/logs"
    },
    { command: "distillery scheduler --once nightly", description: "From cron or a timer of systemd" }
  ])
)
