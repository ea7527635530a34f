/**
 * The ablation of another pipeline, as in tables 3 to 6 of He et al. 2018 (arXiv 1812.01187): its student
 * trained plainly, then with one trick more each time, over several seeds, on the same data and with the same
 * teacher.
 *
 *   npx distillery ablate fashion-mnist --tricks warmup,zero-gamma,cosine,distill --seeds 5
 *
 * Not a pipeline but what makes one. Rows that come to the same training share its job, and what the pipeline
 * itself has made is a hit.
 */
import {
  type AblationChoice,
  type AblationRow,
  ablationRefusal,
  ablationRows
} from "../lib/train/ablation-rows.ts"
import { type Recipe, type TrickName, trickNames, tricks } from "../lib/train/tricks.ts"
import { type ArtifactRef, isRef } from "../lib/workflow/Artifact.ts"
import * as Pipeline from "../lib/workflow/Pipeline.ts"
import { AblationReport } from "../stages/ablation-report.ts"
import { Distill } from "../stages/distill.ts"
import { Evaluate } from "../stages/evaluate.ts"
import { Pretrain } from "../stages/pretrain.ts"
import {
  type ClassifierRef,
  circumstancesOf,
  refusal,
  type Student,
  type StudentChoice,
  studentOf
} from "./ablation-student.ts"

export interface AblationOptions extends AblationChoice, StudentChoice {
  /** How often each row is trained: with the seeds 1, 2, … */
  readonly numSeeds: number
}

/** The report's job. */
export const reportJob = "ablation"

type Refs = { readonly [job: string]: ArtifactRef<unknown> }

/** What these refs are made of that the pipeline has, under the pipeline's own names. */
const ancestors = (pipeline: Pipeline.Pipeline, refs: ReadonlyArray<ArtifactRef<unknown>>): Refs => {
  const needed = new Set<ArtifactRef<unknown>>()
  const visit = (ref: ArtifactRef<unknown>): void => {
    if (needed.has(ref)) return
    needed.add(ref)
    for (const input of Object.values(ref.inputs)) {
      for (const one of isRef(input) ? [input] : Object.values(input)) visit(one)
    }
  }
  refs.forEach(visit)
  return Object.fromEntries(
    pipeline.jobs.filter(({ ref }) => needed.has(ref)).map(({ name, ref }) => [name, ref])
  )
}

/** A row's student of one seed. */
const trained = ({ dataset, teacher }: Student, recipe: Recipe, seed: number): ClassifierRef => {
  const { architecture, distillation } = recipe
  const training = { ...recipe.training, seed }
  if (distillation === null || teacher === undefined) {
    return Pretrain({ params: { architecture, training }, inputs: { dataset } })
  }
  return Distill({ params: { architecture, training, ...distillation }, inputs: { dataset, teacher } })
}

const evaluated = ({ evaluation: { dataset, params } }: Student, model: ClassifierRef) =>
  Evaluate({ params, inputs: { model, dataset } })

/** One row, trained with one seed. */
interface Repetition {
  readonly row: AblationRow
  readonly seed: number
  readonly model: ClassifierRef
  readonly evaluation: ReturnType<typeof evaluated>
}

const nameOf = ({ row, seed }: Repetition): string => `${row.name}-seed-${seed}`

/** All rows seed by seed, so that what is there after a while is whole seeds. Equal trainings are one ref. */
const repetitionsOf = (
  student: Student,
  rows: ReadonlyArray<AblationRow>,
  seeds: ReadonlyArray<number>
): ReadonlyArray<Repetition> => {
  const known = new Map<string, Pick<Repetition, "evaluation" | "model">>()
  return seeds.flatMap((seed) =>
    rows.map((row) => {
      const model = trained(student, row.recipe, seed)
      const same = JSON.stringify([model.stage.stageName, model.params])
      const made = known.get(same) ?? { model, evaluation: evaluated(student, model) }
      known.set(same, made)
      return { row, seed, ...made }
    })
  )
}

/** Trainings and their evaluations, each once, under the name of the first row that has it. */
const jobsOf = (repetitions: ReadonlyArray<Repetition>): Refs => {
  const names = new Map<ArtifactRef<unknown>, string>()
  for (const one of repetitions) {
    if (names.has(one.model)) continue
    names.set(one.model, nameOf(one))
    names.set(one.evaluation, `evaluate-${nameOf(one)}`)
  }
  return Object.fromEntries([...names].map(([ref, name]) => [name, ref]))
}

/** `training.epochs` → `8`, but for the seed; what has parts of its own stays whole. */
const paramsOf = (student: Student, { recipe }: AblationRow): { readonly [path: string]: string } => {
  const { params, stage } = trained(student, recipe, 0)
  const { architecture, training, ...rest } = params as { readonly [name: string]: object }
  const inside = (name: string, values: object | undefined) =>
    Object.entries(values ?? {}).map(([key, value]) => [`${name}.${key}`, value])
  const all = [["stage", stage.stageName], ...inside("architecture", architecture)]
  const values = [...all, ...inside("training", training), ...Object.entries(rest)]
  const texts = values.filter(([path]) => path !== "training.seed")
  return Object.fromEntries(texts.map(([path, value]) => [path, JSON.stringify(value).replaceAll('"', "")]))
}

/** How a row's training differs from that of the row it is compared with; of the baseline, all. */
const chosenParams = (student: Student, row: AblationRow, rows: ReadonlyArray<AblationRow>) => {
  const now = paramsOf(student, row)
  const compared = rows.find(({ name }) => name === row.comparedWith)
  if (compared === undefined) return Object.entries(now).map(([path, value]) => `${path}: ${value}`)
  const before = paramsOf(student, compared)
  const differing = Object.keys({ ...before, ...now }).filter((path) => before[path] !== now[path])
  return differing.map((path) => `${path}: ${before[path] ?? "–"} → ${now[path] ?? "–"}`)
}

/** Throws `DefinitionError` for a pipeline without such a training, and for tricks that it cannot show. */
export const ablation = (pipeline: Pipeline.Pipeline, options: AblationOptions): Pipeline.Pipeline => {
  const student = studentOf(pipeline, options)
  const reason = ablationRefusal(student.recipe, options, circumstancesOf(student))
  if (reason !== undefined) throw refusal(pipeline, reason)
  const rows = ablationRows(student.recipe, options)
  const seeds = Array.from({ length: options.numSeeds }, (_, index) => index + 1)
  const repetitions = repetitionsOf(student, rows, seeds)
  const report = AblationReport({
    params: {
      title: `${pipeline.name}: the tricks one by one`,
      seeds,
      rows: rows.map((row) => ({
        name: row.name,
        title: row.title,
        trick: row.trick,
        comparedWith: row.comparedWith,
        besides: row.besides,
        params: chosenParams(student, row, rows)
      }))
    },
    inputs: {
      evaluations: Object.fromEntries(repetitions.map((one) => [nameOf(one), one.evaluation])),
      models: Object.fromEntries(
        repetitions.slice(0, rows.length).map(({ model, row }) => [row.name, model])
      ),
      dataset: student.evaluation.dataset
    }
  })
  const shared = ancestors(pipeline, [...repetitions.map(({ model }) => model), student.evaluation.dataset])
  const name = `${pipeline.name}-ablation`
  const description = `The tricks of "${pipeline.name}" one by one, over ${seeds.length} seeds`
  return Pipeline.make(name, description, { ...shared, ...jobsOf(repetitions), [reportJob]: report })
}

/** The tricks that this pipeline can show, in the paper's order, and the others by why not. */
export const possibleTricks = (pipeline: Pipeline.Pipeline, choice: StudentChoice) => {
  const student = studentOf(pipeline, choice)
  const circumstances = circumstancesOf(student)
  const possible: Array<TrickName> = []
  const refused = new Map<string, Array<TrickName>>()
  for (const name of trickNames) {
    const reason = tricks[name].refusal?.(student.recipe, circumstances)
    if (reason === undefined) possible.push(name)
    else refused.set(reason, [...(refused.get(reason) ?? []), name])
  }
  return { possible, refused }
}
