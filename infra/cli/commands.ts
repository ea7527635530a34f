/**
 * The command line: names, flags, help. What a command does is in a module of its own, loaded when it is
 * called, so that `--help` starts at once.
 */
import { Effect, Option, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ablate } from "./ablateCommands.ts"
import { completeNames, completion } from "./completionCommands.ts"
import { exportModel, reloadExport } from "./exportCommands.ts"
import { cache, json, pipeline, quiet } from "./flags.ts"
import { key } from "./keyCommands.ts"
import { models } from "./modelCommands.ts"
import { adopt, dag, explain } from "./pipelineCommands.ts"
import { init } from "./projectCommands.ts"
import { diff, lineage, log, show } from "./resultCommands.ts"
import { runSettings } from "./runFlags.ts"
import { runtime } from "./runtimeCommands.ts"
import { schedule, scheduler } from "./scheduleCommands.ts"
import { selection } from "./selectionFlags.ts"
import { copy, du, ls, pull, push } from "./sharingCommands.ts"
import { doctor, gc, selfTest, verify } from "./storeCommands.ts"

export const run = Command.make(
  "run",
  {
    pipeline,
    ...selection,
    ...runSettings,
    ...cache,
    json,
    quiet
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./run.ts")),
      (module) => module.run(flags)
    )
).pipe(
  Command.withDescription(
    "Run a pipeline: what is cached is a hit, the rest runs. Exit codes: 0 done, 1 a job failed, 2 usage, " +
      "4 damaged data, 5 waited too long for another run, 130 or 143 stopped"
  ),
  Command.withShortDescription("Run a pipeline; cached jobs are hits"),
  Command.withExamples([
    { command: "distillery run quickstart", description: "The whole chain at toy size, in minutes" },
    {
      command: "distillery run fashion-mnist --set student.temperature=8",
      description: "Another temperature: only the student and what reads it run"
    },
    { command: "distillery run fashion-mnist --only student --force", description: "Train the student again" }
  ])
)

export const plan = Command.make(
  "plan",
  {
    pipeline,
    ...selection,
    json,
    check: Flag.Boolean("check").pipe(
      Flag.withDescription("Exit with 3 when something is left to run"),
      Flag.withDefault(false)
    )
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./plan.ts")),
      (module) => module.plan(flags)
    )
).pipe(
  Command.withDescription("Show what a run would do and why, without doing it"),
  Command.withExamples([
    {
      command: "distillery plan fashion-mnist --set student.temperature=8",
      description: "What would a change cost?"
    }
  ])
)

const Fraction = Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

export const predict = Command.make(
  "predict",
  {
    model: Argument.String("MODEL").pipe(
      Argument.withDescription(
        "A model: pipeline/job, ./mine.ts/job, or the job alone if that leaves no doubt; or the folder of " +
          "an export"
      )
    ),
    images: Argument.String("IMAGE").pipe(
      Argument.withDescription("JPEG, PNG, WebP, PGM or PPM files"),
      Argument.atLeast(1)
    ),
    output: Flag.String("output").pipe(
      Flag.withMetavar("DIR"),
      Flag.withDescription(
        "Where a detector's or a segmenter's pictures go (default: .distillery/predictions)"
      ),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    threshold: Flag.Finite("threshold").pipe(
      Flag.withMetavar("SCORE"),
      Flag.withDescription("A detector's boxes of a score above this, 0 to 1 (default: 0.5)"),
      Flag.withSchema(Fraction),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    ...cache,
    json
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./predict.ts")),
      (module) => module.predict(flags)
    )
).pipe(
  Command.withDescription(
    "Say what is on images with a model that a pipeline has made: classes, boxes or masks, drawn as PNG. " +
      "An image that cannot be read is told of, and the others go on. Exit codes: 0 done, 1 an image could " +
      "not be read, 2 usage"
  ),
  Command.withShortDescription("Say what is on images with a model"),
  Command.withExamples([
    {
      command: "distillery predict quickstart/student photo.png",
      description: "The five most probable classes"
    },
    {
      command: "distillery predict quickstart/detector photo.png --threshold 0.3 --output found",
      description: "Boxes, also less certain ones, drawn into found/photo-detector.png"
    }
  ])
)

export const list = Command.make("list", { json }, (flags) =>
  Effect.flatMap(
    Effect.promise(() => import("./list.ts")),
    (module) => module.list(flags)
  )
).pipe(Command.withDescription("Show the pipelines there are, and their jobs"))

export const distillery = Command.make("distillery").pipe(
  Command.withDescription(
    "Trains image classifiers with the Bag of Tricks, distils them, and keeps every result in a cache"
  ),
  Command.withSubcommands([
    { group: "Begin", commands: [init] },
    { group: "Run", commands: [run, ablate, plan, explain, dag] },
    { group: "Look at results", commands: [log, show, diff, lineage, predict] },
    { group: "Share results", commands: [exportModel, push, pull, copy] },
    { group: "Keep the store", commands: [ls, du, adopt, gc, verify, key] },
    { group: "Schedule", commands: [schedule, scheduler] },
    {
      group: "Find out",
      commands: [list, models, doctor, runtime, completion, completeNames, selfTest, reloadExport]
    }
  ])
)
