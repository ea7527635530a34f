/** Which jobs of a pipeline a run may run, and which of them whatever the store holds. */
import { dependenciesOf, type Pipeline, type PipelineJob } from "./Pipeline.ts"
import { DefinitionError } from "./Stage.ts"
import { suggestion } from "./suggestions.ts"

/**
 * `from` and `downstream` add up, `to` cuts what they give (or the whole pipeline), `only` adds to the rest:
 * `from` a `to` b is what lies on the ways from a to b.
 */
export interface Selection {
  /** These alone, where they need to run. */
  readonly only?: ReadonlyArray<string>
  /** These and all that reads from them, directly or not. */
  readonly from?: ReadonlyArray<string>
  /** All that reads from these, directly or not, but not these. */
  readonly downstream?: ReadonlyArray<string>
  /** These and all they read from, directly or not. */
  readonly to?: ReadonlyArray<string>
  /** Computed and published again even where a result is there; `"all"` = every selected job. */
  readonly force?: ReadonlyArray<string> | "all"
  /** Every selected job is computed from the beginning: no result and no saved state is looked up. */
  readonly noCache?: boolean
}

export interface Selected {
  /** The selected jobs and all they read from, in the pipeline's order. */
  readonly jobs: ReadonlyArray<PipelineJob>
  readonly mayRun: (job: string) => boolean
  /** It is computed whatever the store holds. */
  readonly isForced: (job: string) => boolean
  /** Not even a state that was saved under its key is gone on from. */
  readonly isAfresh: (job: string) => boolean
}

type Next = (job: string) => ReadonlyArray<string>

/** What can be reached by steps of `next`, the start included. */
const closure = (start: ReadonlyArray<string>, next: Next): ReadonlySet<string> => {
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
  if (names.length === 0) return
  const known = pipeline.jobs.map((job) => job.name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return
  throw new DefinitionError({
    where: option,
    message: `pipeline "${pipeline.name}" has no job "${unknown}": ${suggestion(unknown, known)}`
  })
}

const checkNames = (pipeline: Pipeline, selection: Selection): void => {
  check(pipeline, "only", selection.only ?? [])
  check(pipeline, "from", selection.from ?? [])
  check(pipeline, "downstream", selection.downstream ?? [])
  check(pipeline, "to", selection.to ?? [])
  check(pipeline, "force", selection.force === "all" ? [] : (selection.force ?? []))
}

const selectedNames = (pipeline: Pipeline, selection: Selection, reads: Next): ReadonlySet<string> => {
  const { downstream, from, only, to } = selection
  const all = pipeline.jobs.map((job) => job.name)
  const isRange = from !== undefined || downstream !== undefined || to !== undefined
  if (only !== undefined && !isRange) return new Set(only)
  const readers = new Map<string, Array<string>>()
  for (const job of all) {
    for (const name of reads(job)) {
      const others = readers.get(name)
      if (others === undefined) readers.set(name, [job])
      else others.push(job)
    }
  }
  const readBy: Next = (name) => readers.get(name) ?? []
  const starts =
    from === undefined && downstream === undefined
      ? new Set(all)
      : closure([...(from ?? []), ...(downstream ?? []).flatMap(readBy)], readBy)
  const upTo = to === undefined ? starts : closure(to, reads)
  return new Set([...(only ?? []), ...[...starts].filter((name) => upTo.has(name))])
}

/**
 * Throws `DefinitionError` for a job that does not exist, for a selection without a job, and for a forced job
 * that the selection leaves out.
 */
export const select = (pipeline: Pipeline, selection: Selection): Selected => {
  checkNames(pipeline, selection)
  const byName = new Map(pipeline.jobs.map((job) => [job.name, job]))
  const reads: Next = (name) => dependenciesOf(byName.get(name)!)
  const selected = selectedNames(pipeline, selection, reads)
  if (selected.size === 0) throw nothingSelected(selection)
  const forced = selection.force === "all" ? [] : (selection.force ?? [])
  const left = forced.find((name) => !selected.has(name))
  if (left !== undefined) {
    throw new DefinitionError({
      where: "force",
      message: `job "${left}" is not among the selected ones (${[...selected].join(", ")}): select it too`
    })
  }
  const included = closure([...selected], reads)
  const allForced = selection.force === "all" || selection.noCache === true
  return {
    jobs: pipeline.jobs.filter((job) => included.has(job.name)),
    mayRun: (job) => selected.has(job),
    isForced: (job) => (allForced ? selected.has(job) : forced.includes(job)),
    isAfresh: (job) => selection.noCache === true && selected.has(job)
  }
}

const nothingSelected = ({ downstream = [], from = [], to }: Selection): DefinitionError => {
  const starts = [...from, ...downstream].join(", ")
  if (starts === "") return new DefinitionError({ where: "only", message: "it names no job" })
  return to === undefined
    ? new DefinitionError({ where: "downstream", message: `no job reads from ${starts}` })
    : new DefinitionError({
        where: "to",
        message: `no job lies between ${starts} and ${to.join(", ")}: does ${to[0]} read from ${starts}?`
      })
}
