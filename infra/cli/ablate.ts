/** `distillery ablate` */
import { readFile } from "node:fs/promises"
import { Effect, Schema } from "effect"
import { AblationDocument } from "../../lib/charts/AblationDocument.ts"
import { type TrickName, trickNames } from "../../lib/train/tricks.ts"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import type { CapabilityRefused, PlannedJob } from "../../lib/workflow/Plan.ts"
import type { DefinitionError } from "../../lib/workflow/Stage.ts"
import { suggestion } from "../../lib/workflow/suggestions.ts"
import { ablation, possibleTricks, reportJob } from "../../pipelines/ablation.ts"
import { ablationLines } from "../reporting/ablationTable.ts"
import { duration } from "../reporting/numbers.ts"
import { UsageError } from "./errors.ts"
import { findPipeline } from "./findPipeline.ts"
import { Output } from "./Output.ts"
import { planPipeline } from "./plan.ts"
import { commandWith, type Ended, type RunFlags, runPipeline } from "./run.ts"
import { withOverrides } from "./selection.ts"
import { type SharedWork, secondsOf, sharedWork } from "./sharedWork.ts"
import { annotateError } from "./tellGitHub.ts"

export interface AblateFlags extends RunFlags {
  readonly tricks: ReadonlyArray<string>
  readonly with: ReadonlyArray<string>
  readonly seeds: number
  readonly each: boolean
  readonly student: string | undefined
  readonly teacher: string | undefined
  readonly plan: boolean
}

const isTrick = (name: string): name is TrickName => (trickNames as ReadonlyArray<string>).includes(name)

const tricksOf = Effect.fnUntraced(function* (flag: string, values: ReadonlyArray<string>) {
  const names = values.flatMap((value) => value.split(",")).map((name) => name.trim())
  const unknown = names.find((name) => name !== "" && !isTrick(name))
  if (unknown === undefined) return names.filter(isTrick)
  return yield* new UsageError({
    what: `${flag}: there is no trick "${unknown}": ${suggestion(unknown, trickNames)}`
  })
})

/** The words of the command but for the selection of jobs and `--set`. */
const wordsOf = ({ each, pipeline, seeds, student, teacher, tricks, with: given }: AblateFlags) => [
  ...["npx", "distillery", "ablate", pipeline],
  ...(tricks.length > 0 ? ["--tricks", tricks.join(",")] : []),
  ...(given.length > 0 ? ["--with", given.join(",")] : []),
  ...["--seeds", String(seeds)],
  ...(each ? ["--each"] : []),
  ...(student === undefined ? [] : ["--student", student]),
  ...(teacher === undefined ? [] : ["--teacher", teacher])
]

type Named = { readonly [name: string]: string }

/** The evaluations by row and seed, as the report reads them, by their jobs' names. */
const evaluationsOf = ({ jobs }: Pipeline): Named =>
  jobs.find(({ name }) => name === reportJob)!.inputs.evaluations as Named

/** The mean over a row's trainings, of those whose time is known. */
const trainingSeconds = (pipeline: Pipeline, { outcome }: Ended, seeds: ReadonlyArray<number>) => {
  const evaluations = evaluationsOf(pipeline)
  const modelOf = (evaluation: string) =>
    pipeline.jobs.find(({ name }) => name === evaluation)!.inputs.model as string
  return (row: string): number | undefined => {
    const models = seeds.map((seed) => modelOf(evaluations[`${row}-seed-${seed}`]!))
    const known = models.map((model) => secondsOf(outcome.manifests, model).whole).filter((one) => one > 0)
    return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0) / known.length
  }
}

const workLine = ({ aloneSeconds, nowSeconds, togetherSeconds }: SharedWork): string =>
  `Work: ${duration(togetherSeconds)} in all, ${duration(nowSeconds)} of it now; every row and seed alone, ` +
  `from its data on, would take ${duration(aloneSeconds)}: ` +
  `sharing saves ${duration(aloneSeconds - togetherSeconds)}.`

const decodeDocument = Schema.decodeUnknownSync(Schema.fromJsonString(AblationDocument))

/** The table, where the run came as far as that. */
const results = Effect.fnUntraced(function* (pipeline: Pipeline, ended: Ended) {
  const { paint } = yield* Output
  const { document, exported, outcome } = ended
  if (exported === undefined) return { lines: [], document }
  const json = yield* Effect.promise(() => readFile(exported.json, "utf8"))
  const shown = decodeDocument(json)
  const work = sharedWork(pipeline, outcome, Object.values(evaluationsOf(pipeline)))
  return {
    lines: [
      ...ablationLines(shown, trainingSeconds(pipeline, ended, shown.seeds), paint),
      "",
      workLine(work)
    ],
    document: { ...document, ablation: shown, work }
  }
})

/** All that can be shown, in the paper's order, where none is named; says which cannot. */
const defaultTricks = Effect.fnUntraced(function* (pipeline: Pipeline, flags: AblateFlags) {
  const { tell } = yield* Output
  const { possible, refused } = yield* Effect.try({
    try: () => possibleTricks(pipeline, flags),
    catch: (error) => error as DefinitionError
  })
  yield* tell([...refused].map(([reason, names]) => `left out: ${names.join(", ")}: ${reason}`))
  return possible
})

const derived = Effect.fnUntraced(function* (pipeline: Pipeline, flags: AblateFlags) {
  const given = yield* tricksOf("--with", flags.with)
  const named = yield* tricksOf("--tricks", flags.tricks)
  const all = flags.tricks.length > 0 ? named : yield* defaultTricks(pipeline, flags)
  const { each, seeds: numSeeds, student, teacher } = flags
  const options = { tricks: all.filter((name) => named.includes(name) || !given.includes(name)), given }
  return yield* Effect.try({
    try: () => ablation(pipeline, { ...options, each, numSeeds, student, teacher }),
    catch: (error) => error as DefinitionError
  })
})

/** What this stage took in the pipeline itself, and in the ablation with the first seed. */
const alikeIn = (found: Pipeline, made: Pipeline) => (planned: PlannedJob) =>
  [found, made].flatMap(({ jobs, name: pipeline }) =>
    jobs
      .filter(({ ref }) => ref.stage.stageName === planned.stage)
      .filter(({ name }) => pipeline === found.name || name.endsWith("-seed-1"))
      .map(({ name: job }) => ({ pipeline, job }))
  )

/** Of a row, it is the trick that asks for it. */
const advised = (error: CapabilityRefused): CapabilityRefused | UsageError => {
  const isOfRow = /^(row|only)-/.test(error.job)
  if (!isOfRow) return error
  return new UsageError({
    what: error.message,
    fix: "Or leave bf16 out: name the other tricks with --tricks"
  })
}

export const ablate = Effect.fn("ablate")(
  function* (flags: AblateFlags) {
    const found = yield* findPipeline(flags.pipeline)
    const pipeline = yield* derived(yield* withOverrides(found, flags.set), flags)
    if (flags.plan) {
      return yield* planPipeline({ ...flags, check: false }, pipeline, alikeIn(found, pipeline))
    }
    yield* runPipeline(flags, {
      pipeline,
      again: commandWith(wordsOf(flags), flags.set),
      results: (ended) => results(pipeline, ended)
    })
  },
  Effect.catchTag("CapabilityRefused", (error) => Effect.fail(advised(error))),
  Effect.tapError(annotateError)
)
