/** From flags to what the engine takes: selections and param overrides. */
import { Effect, type Schema } from "effect"
import { jsonValue } from "../../lib/storage/jsonValue.ts"
import * as Pipeline from "../../lib/workflow/Pipeline.ts"
import type { Selection } from "../../lib/workflow/Selection.ts"
import { suggestion } from "../../lib/workflow/suggestions.ts"
import { UsageError } from "./errors.ts"
import { unknownParam } from "./paramNames.ts"

/** Values of a flag that may be repeated and may hold several names: `--only a,b --only c`. */
export const namesOf = (values: ReadonlyArray<string>): ReadonlyArray<string> => [
  ...new Set(
    values.flatMap((value) => value.split(",")).flatMap((name) => (name.trim() === "" ? [] : [name.trim()]))
  )
]

export interface SelectionFlags {
  readonly only: ReadonlyArray<string>
  readonly from: ReadonlyArray<string>
  readonly downstream: ReadonlyArray<string>
  readonly to: ReadonlyArray<string>
  readonly force: ReadonlyArray<string>
  readonly noCache: boolean
}

const ranges = ["only", "from", "downstream", "to"] as const

/** Fails with `UsageError` for the first job that the pipeline does not have. */
export const checkNames = (pipeline: Pipeline.Pipeline, flag: string, names: ReadonlyArray<string>) => {
  const known = pipeline.jobs.map((job) => job.name)
  const unknown = names.find((name) => !known.includes(name))
  if (unknown === undefined) return Effect.void
  return new UsageError({
    what: `${flag}: pipeline "${pipeline.name}" has no job "${unknown}": ${suggestion(unknown, known)}`
  })
}

/** Fails with `UsageError` for jobs that the pipeline does not have. */
export const selectionFrom = Effect.fn("selectionFrom")(function* (
  pipeline: Pipeline.Pipeline,
  flags: SelectionFlags
) {
  const selected: { [flag in (typeof ranges)[number]]?: ReadonlyArray<string> } = {}
  for (const flag of ranges) {
    const names = namesOf(flags[flag])
    yield* checkNames(pipeline, `--${flag}`, names)
    if (names.length > 0) selected[flag] = names
  }
  const force = namesOf(flags.force)
  const isAll = force.includes("all") && !pipeline.jobs.some((job) => job.name === "all")
  if (!isAll) yield* checkNames(pipeline, "--force", force)
  return {
    ...selected,
    ...(isAll ? { force: "all" as const } : force.length > 0 && { force }),
    ...(flags.noCache && { noCache: true })
  } satisfies Selection as Selection
})

const jsonOrString = (text: string): Schema.Json => {
  try {
    return jsonValue(text) as Schema.Json
  } catch {
    return text
  }
}

const settingForm =
  "write it as job.param=value, for example --set student.temperature=8 (value: JSON, else a string)"

/** `student.training.epochs=5` → job, path, value. */
const overrideFrom = (text: string): Effect.Effect<Pipeline.ParamOverride, UsageError> => {
  const equals = text.indexOf("=")
  const [job = "", ...path] = (equals < 0 ? "" : text.slice(0, equals)).split(".")
  if (job === "" || path.length === 0 || path.includes("")) {
    return new UsageError({ what: `--set: "${text}" is no setting of a param`, fix: settingForm })
  }
  return Effect.succeed({ job, path, value: jsonOrString(text.slice(equals + 1)) })
}

/** `params are wrong: SchemaError(Expected number\n  at ["a"]["b"])` → `expected number (at a.b)` */
const schemaReason = (message: string): string => {
  const inner = /SchemaError\(([\s\S]*)\)$/.exec(message)?.[1] ?? message
  const path = (brackets: string): string =>
    [...brackets.matchAll(/\["?([^"\]]+)"?\]/g)].map((match) => match[1]).join(".")
  const readable = inner.replace(
    /\n\s+at ((?:\[[^\]]+\])+)/g,
    (_, brackets: string) => ` (at ${path(brackets)})`
  )
  return readable.charAt(0).toLowerCase() + readable.slice(1)
}

/** Why the stage's schema refused the overrides: the first param that does not exist, if that is why. */
const refused = (
  pipeline: Pipeline.Pipeline,
  overrides: ReadonlyArray<Pipeline.ParamOverride>,
  message: string
): UsageError => {
  const hasUnknown = message.includes("excess property")
  for (const { job, path } of hasUnknown ? overrides : []) {
    const ref = pipeline.jobs.find(({ name }) => name === job)!.ref
    const unknown = unknownParam(ref.stage.params, ref.params, path)
    if (unknown === undefined) continue
    const { known, part, within } = unknown
    const place = within.length === 0 ? "" : ` in "${within.join(".")}"`
    const instead = known.length === 0 ? "there are none" : suggestion(part, known)
    const what = `--set ${job}.${path.join(".")}: there is no param "${part}"${place}: ${instead}`
    return new UsageError({ what })
  }
  const given = overrides.map(({ job, path, value }) => `${job}.${path.join(".")}=${JSON.stringify(value)}`)
  return new UsageError({ what: `--set ${given.join(" --set ")}: ${schemaReason(message)}` })
}

/** Fails with `UsageError` for unknown jobs and params, and for values that the stage's schema refuses. */
export const withOverrides = Effect.fn("withOverrides")(function* (
  pipeline: Pipeline.Pipeline,
  texts: ReadonlyArray<string>
) {
  const overrides = yield* Effect.forEach(texts, overrideFrom)
  for (const { job } of overrides) yield* checkNames(pipeline, "--set", [job])
  return yield* Effect.try({
    try: () => Pipeline.override(pipeline, overrides),
    catch: (error) => refused(pipeline, overrides, (error as Error).message)
  })
})
