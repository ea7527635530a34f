/** The part of the command line that takes a training apart. */
import { Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { trickNames } from "../../lib/train/tricks.ts"
import { cache, json, pipeline, quiet } from "./flags.ts"
import { runSettings } from "./runFlags.ts"
import { selection } from "./selectionFlags.ts"

const tricks = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("TRICK[,TRICK...]"),
    Flag.withDescription(description),
    Flag.atLeast(0)
  )

const job = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("JOB"),
    Flag.withDescription(description),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  )

const Seeds = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))

export const ablate = Command.make(
  "ablate",
  {
    pipeline,
    tricks: tricks(
      "tricks",
      `In the order in which they are added: ${trickNames.join(", ")} (default: all that can be shown)`
    ),
    with: tricks("with", "Tricks that all rows have, the baseline too (default: none)"),
    seeds: Flag.Int("seeds").pipe(
      Flag.withMetavar("N"),
      Flag.withDescription("How often each row is trained, with the seeds 1 to N (default: 3)"),
      Flag.withSchema(Seeds),
      Flag.withDefault(3)
    ),
    each: Flag.Boolean("each").pipe(
      Flag.withDescription("Measure each trick alone against the baseline, too"),
      Flag.withDefault(false)
    ),
    student: job(
      "student",
      "The job whose training is taken apart (default: what is distilled, else what is trained)"
    ),
    teacher: job("teacher", "The job of the classifier that teaches (default: the student's own)"),
    plan: Flag.Boolean("plan").pipe(
      Flag.withDescription("Show the jobs, which of them are hits, and what the rest will take; run nothing"),
      Flag.withDefault(false)
    ),
    ...selection,
    ...runSettings,
    ...cache,
    json,
    quiet
  },
  (flags) =>
    Effect.flatMap(
      Effect.promise(() => import("./ablate.ts")),
      (module) => module.ablate(flags)
    )
).pipe(
  Command.withDescription(
    "Train a pipeline's student plainly, then with one trick of the paper more each time, over several " +
      "seeds, and say what each gains: mean, standard deviation and 95 % interval, beside the paper's " +
      "tables 3 to 6. --set changes the pipeline before; finished jobs are hits, a killed run goes on. " +
      "Results are named PIPELINE-ablation/row-02-zero-gamma-seed-1. Exit codes as of run"
  ),
  Command.withShortDescription("Measure the tricks of the paper one by one"),
  Command.withExamples([
    {
      command: "distillery ablate fashion-mnist --tricks warmup,zero-gamma,cosine,distill --seeds 5 --plan",
      description: "Which jobs would that be, and how long would they take?"
    },
    {
      command: "distillery ablate quickstart --tricks cosine,label-smoothing --with warmup",
      description: "Two refinements on top of a warm-up"
    },
    {
      command: "distillery ablate fashion-mnist --set student.training.epochs=4",
      description: "All that the pipeline can show, on a smaller budget"
    }
  ])
)
