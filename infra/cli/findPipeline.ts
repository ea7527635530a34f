/** From what the user typed to a pipeline: a name of ours, or a module of the user's. */
import { existsSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import type { Pipeline } from "../../lib/workflow/Pipeline.ts"
import { nearest } from "../../lib/workflow/suggestions.ts"
import { pipelines } from "../../pipelines/index.ts"
import { UsageError } from "./errors.ts"
import { splitName } from "./finishedJobs.ts"
import { shareEffect } from "./oneEffect.ts"

/** Whether what stands for a pipeline is the path of a module rather than a name. */
const isModulePath = (text: string): boolean => /[\\/]/.test(text) || /\.[cm]?[jt]s$/.test(text)

/** Results of an ablation are named by a pipeline that `ablate` makes and forgets. */
const unknownPipeline = (name: string): UsageError => {
  const known = Object.keys(pipelines)
  const ablated = /^(.+)-ablation$/.exec(name)?.[1]
  if (ablated !== undefined) {
    const pipeline = known.includes(ablated) ? ablated : "PIPELINE"
    return new UsageError({
      what: `"${name}" is no pipeline of its own: "ablate" makes it of another one`,
      fix:
        `Its jobs, and why they would run: npx distillery ablate ${pipeline} --plan, with the --tricks, ` +
        "--seeds and --set that it was made with"
    })
  }
  const near = nearest(name, known)
  return new UsageError({
    what: `there is no pipeline "${name}"${near === undefined ? "" : `: did you mean "${near}"?`}`,
    fix: `Known are ${known.join(", ")}; a pipeline of your own is given by its path, like ./${name}.ts`
  })
}

interface ErrorLike {
  readonly _tag?: string
  readonly code?: string
  readonly where?: string
  readonly message?: string
}

/** Errors of the module itself: its wrong pipeline, its syntax, its imports. */
const unloadable = (what: string, error: unknown): UsageError => {
  const { _tag, code, message, where } = error as ErrorLike
  return new UsageError({
    what: `${what} cannot be loaded`,
    why: _tag === "DefinitionError" ? `${where}: ${message}` : String(message ?? error),
    ...(code === "ERR_UNKNOWN_FILE_EXTENSION" && {
      fix: `This is Node ${process.version}; TypeScript modules need 22.18, which npx distillery brings`
    })
  })
}

const load = (what: string, importModule: () => Promise<{ readonly pipeline?: unknown }>) =>
  Effect.tryPromise({ try: importModule, catch: (error) => unloadable(what, error) })

const isPipeline = (value: unknown): value is Pipeline =>
  typeof value === "object" && value !== null && "jobs" in value && "name" in value

const fromFile = Effect.fn("findPipeline.fromFile")(function* (path: string) {
  const file = resolve(path)
  if (!existsSync(file))
    return yield* new UsageError({ what: `there is no file ${path} to load a pipeline from` })
  shareEffect()
  const { pipeline } = yield* load(`pipeline ${path}`, () => import(pathToFileURL(file).href))
  if (isPipeline(pipeline)) return pipeline
  return yield* new UsageError({
    what: `${path} exports no pipeline`,
    fix: "Export it by the name `pipeline`: export const pipeline = Pipeline.make(...)"
  })
})

/** Where the module of a pipeline of the user's own lies; `undefined` for a name of ours. */
export const pipelineFileOf = (text: string): string | undefined =>
  isModulePath(text) ? resolve(text) : undefined

/**
 * A name from `pipelines/index.ts`, or the path of a module that exports `pipeline`. Fails with `UsageError`.
 */
export const findPipeline = Effect.fn("findPipeline")(function* (text: string) {
  if (isModulePath(text)) return yield* fromFile(text)
  const importModule = Object.hasOwn(pipelines, text) ? pipelines[text] : undefined
  if (importModule === undefined) return yield* unknownPipeline(text)
  return (yield* load(`pipeline "${text}"`, importModule)).pipeline as Pipeline
})

/** A result's name as runs record it: `./mine.ts/job` by the name of the pipeline that the module exports. */
export const recordedName = Effect.fn("recordedName")(function* (text: string) {
  const { job, pipeline } = splitName(text)
  if (pipeline === undefined || !isModulePath(pipeline)) return text
  return `${(yield* findPipeline(pipeline)).name}/${job}`
})
