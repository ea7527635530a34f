/**
 * A pipeline: a record of named refs. The name of a ref is its job's name everywhere (`--only`, `--set`,
 * `explain`).
 */
import type { Schema } from "effect"
import { type ArtifactRef, isRef, type RefInputs } from "./Artifact.ts"
import { DefinitionError, refOf } from "./Stage.ts"

export interface PipelineJob {
  readonly name: string
  readonly ref: ArtifactRef<unknown>
  /** Names of the jobs whose artifacts it reads, by input. */
  readonly inputs: { readonly [input: string]: string | { readonly [name: string]: string } }
}

export interface Pipeline {
  readonly name: string
  readonly description: string
  /** In an order in which every job stands behind those it reads from. */
  readonly jobs: ReadonlyArray<PipelineJob>
}

/** Replaces one param of one job, as `--set job.path.to.param=value` does. */
export interface ParamOverride {
  readonly job: string
  readonly path: ReadonlyArray<string>
  readonly value: Schema.Json
}

const named = (
  names: ReadonlyMap<ArtifactRef<unknown>, string>,
  user: string,
  input: string,
  ref: ArtifactRef<unknown>
): string => {
  const name = names.get(ref)
  if (name !== undefined) return name
  throw new DefinitionError({
    where: `job "${user}"`,
    message: `its input "${input}" (stage "${ref.stage.stageName}") has no name: add it to the record of refs`
  })
}

const inputNames = (
  names: ReadonlyMap<ArtifactRef<unknown>, string>,
  user: string,
  inputs: RefInputs
): PipelineJob["inputs"] =>
  Object.fromEntries(
    Object.entries(inputs).map(([input, value]) => [
      input,
      isRef(value)
        ? named(names, user, input, value)
        : Object.fromEntries(
            Object.entries(value).map(([key, ref]) => [key, named(names, user, `${input}.${key}`, ref)])
          )
    ])
  )

/** The names a job reads from, each once. */
export const dependenciesOf = (job: PipelineJob): ReadonlyArray<string> => [
  ...new Set(
    Object.values(job.inputs).flatMap((input) => (typeof input === "string" ? [input] : Object.values(input)))
  )
]

/** Jobs behind their inputs; a cycle (possible only by mutation) is named, not looped over. */
const sorted = (jobs: ReadonlyArray<PipelineJob>): ReadonlyArray<PipelineJob> => {
  const byName = new Map(jobs.map((job) => [job.name, job]))
  const done = new Set<string>()
  /** The jobs on the way to the one that is visited. */
  const path = new Set<string>()
  const order: Array<PipelineJob> = []
  const visit = (job: PipelineJob): void => {
    if (done.has(job.name)) return
    if (path.has(job.name)) {
      const names = [...path]
      const cycle = [...names.slice(names.indexOf(job.name)), job.name].join(" → ")
      throw new DefinitionError({ where: `job "${job.name}"`, message: `the jobs form a cycle: ${cycle}` })
    }
    path.add(job.name)
    for (const name of dependenciesOf(job)) visit(byName.get(name)!)
    path.delete(job.name)
    done.add(job.name)
    order.push(job)
  }
  for (const job of jobs) visit(job)
  return order
}

/** Names become parts of object keys and of flags. */
const kebabCase = /^[a-z0-9]+(-[a-z0-9]+)*$/
const kebabRule = "a-z, 0-9 and single dashes"

/**
 * Names the refs. Every ref that another one reads must be in the record.
 * Throws `DefinitionError` for an unnamed ref, a ref under two names, a bad name or a cycle.
 */
export const make = (
  name: string,
  description: string,
  refs: { readonly [job: string]: ArtifactRef<unknown> }
): Pipeline => {
  if (!kebabCase.test(name)) {
    throw new DefinitionError({
      where: `pipeline "${name}"`,
      message: `its name is kebab-case: ${kebabRule}`
    })
  }
  const names = new Map<ArtifactRef<unknown>, string>()
  for (const [job, ref] of Object.entries(refs)) {
    if (!kebabCase.test(job)) {
      throw new DefinitionError({
        where: `job "${job}"`,
        message: `a job's name is kebab-case: ${kebabRule}`
      })
    }
    const other = names.get(ref)
    if (other !== undefined) {
      throw new DefinitionError({
        where: `job "${job}"`,
        message: `it is the same ref as job "${other}": keep one name`
      })
    }
    names.set(ref, job)
  }
  const jobs = Object.entries(refs).map(([job, ref]) => ({
    name: job,
    ref,
    inputs: inputNames(names, job, ref.inputs)
  }))
  return { name, description, jobs: sorted(jobs) }
}

const withParam = (
  params: Schema.JsonObject,
  path: ReadonlyArray<string>,
  value: Schema.Json
): Schema.JsonObject => {
  const [head, ...rest] = path
  if (head === undefined) return params
  const inner = params[head]
  const isObject = typeof inner === "object" && inner !== null && !Array.isArray(inner)
  return {
    ...params,
    [head]: rest.length === 0 ? value : withParam(isObject ? (inner as Schema.JsonObject) : {}, rest, value)
  }
}

/**
 * The same pipeline with some params replaced, checked again. Throws `DefinitionError` for unknown jobs or
 * params.
 */
export const override = (pipeline: Pipeline, overrides: ReadonlyArray<ParamOverride>): Pipeline => {
  if (overrides.length === 0) return pipeline
  const unknown = overrides.find((o) => !pipeline.jobs.some((job) => job.name === o.job))
  if (unknown !== undefined) {
    const known = pipeline.jobs.map((job) => job.name).join(", ")
    throw new DefinitionError({
      where: `pipeline "${pipeline.name}"`,
      message: `there is no job "${unknown.job}" to set a param of; its jobs are ${known}`
    })
  }
  const rebuilt = new Map<ArtifactRef<unknown>, ArtifactRef<unknown>>()
  const refs: Record<string, ArtifactRef<unknown>> = {}
  for (const { name, ref } of pipeline.jobs) {
    const params = overrides
      .filter((o) => o.job === name)
      .reduce((sofar, o) => withParam(sofar, o.path, o.value), ref.params)
    const inputs: RefInputs = Object.fromEntries(
      Object.entries(ref.inputs).map(([key, input]) => [
        key,
        isRef(input)
          ? rebuilt.get(input)!
          : Object.fromEntries(Object.entries(input).map(([k, inner]) => [k, rebuilt.get(inner)!]))
      ])
    )
    const next = refOf(ref.stage, params, inputs)
    rebuilt.set(ref, next)
    refs[name] = next
  }
  return make(pipeline.name, pipeline.description, refs)
}
