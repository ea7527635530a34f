/** Which jobs of a pipeline a run may run: `--only`, `--from`, `--force`. */
import { dependenciesOf, type Pipeline, type PipelineJob } from "./Pipeline.ts"
import { DefinitionError } from "./Stage.ts"
import { suggestion } from "./suggestions.ts"

export interface Selection {
  /** These alone, where they need to run. */
  readonly only?: ReadonlyArray<string>
  /** These and all that reads from them, directly or not. */
  readonly from?: ReadonlyArray<string>
  /** Computed and published again even where a result is there; `"all"` = every selected job. */
  readonly force?: ReadonlyArray<string> | "all"
}

export interface Selected {
  /** The selected jobs and all they read from, in the pipeline's order. */
  readonly jobs: ReadonlyArray<PipelineJob>
  readonly mayRun: (job: string) => boolean
  readonly isForced: (job: string) => boolean
}

const closure = (
  start: ReadonlyArray<string>,
  next: (job: string) => ReadonlyArray<string>
): ReadonlySet<string> => {
  const seen = new Set<string>()
  const visit = (job: string): void => {
    if (seen.has(job)) return
    seen.add(job)
    next(job).forEach(visit)
  }
  start.forEach(visit)
  return seen
}

const check = (pipeline: Pipeline, option: string, names: ReadonlyArray<string>): void => {
  const known = pipeline.jobs.map((job) => job.name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new DefinitionError({
    where: option,
    message: `pipeline "${pipeline.name}" has no job "${unknown}": ${suggestion(unknown, known)}`
  })
}

/**
 * Throws `DefinitionError` for a job that does not exist, and for a forced one that the selection leaves out.
 */
export const select = (pipeline: Pipeline, selection: Selection): Selected => {
  const forced = selection.force === "all" ? [] : (selection.force ?? [])
  check(pipeline, "only", selection.only ?? [])
  check(pipeline, "from", selection.from ?? [])
  check(pipeline, "force", forced)
  const byName = new Map(pipeline.jobs.map((job) => [job.name, job]))
  const reads = (name: string) => dependenciesOf(byName.get(name)!)
  const readBy = (name: string) =>
    pipeline.jobs.filter((job) => dependenciesOf(job).includes(name)).map((job) => job.name)
  const restricted = selection.only !== undefined || selection.from !== undefined
  const selected = restricted
    ? new Set([...(selection.only ?? []), ...closure(selection.from ?? [], readBy)])
    : new Set(byName.keys())
  const left = forced.find((name) => !selected.has(name))
  if (left !== undefined) {
    throw new DefinitionError({
      where: "force",
      message: `job "${left}" is not among the selected ones (${[...selected].join(", ")}): select it too`
    })
  }
  const included = closure([...selected], reads)
  return {
    jobs: pipeline.jobs.filter((job) => included.has(job.name)),
    mayRun: (job) => selected.has(job),
    isForced: (job) => (selection.force === "all" ? selected.has(job) : forced.includes(job))
  }
}
