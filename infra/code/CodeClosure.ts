/**
 * `CodeClosure` on the sources as they lie on disk.
 *
 * Hashed is what the stage's body reaches; executed is one bundle of contract and body, made of the same
 * sources with everything else blanked out. Services run from the build, and are hashed from their sources.
 */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import { Hasher } from "../../lib/storage/Digest.ts"
import {
  CodeClosure,
  type CodeIdentity,
  type CodeRequest,
  CodeUnreadable,
  type JobCode,
  namesIn
} from "../../lib/workflow/CodeClosure.ts"
import type { JobRequest } from "../../lib/workflow/Executor.ts"
import { fingerprint } from "../../lib/workflow/Fingerprint.ts"
import { type BuiltSources, refuseStale } from "./builtSources.ts"
import { Knowledge, type Known, type Names } from "./knowledge.ts"
import type { CodeUnit } from "./learning.ts"
import { SourceDigests } from "./SourceDigests.ts"
import { userStages } from "./userStages.ts"

/** Where the code of a stage lies. */
export interface StageFiles {
  /** What paths are relative to, and where packages are looked up. */
  readonly root: string
  /** From the root. */
  readonly contract: string
  readonly body: string
}

export interface CodeOptions {
  /** The root of this package. */
  readonly packageRoot: string
  /** Where bundles and what is known about them are kept. */
  readonly codeFolder: string
  /** Default: the stages below `pipelineFile`, else `stages/<name>.ts` and `stages/<name>.run.ts` of ours. */
  readonly stageFiles?: StageFilesOf
  /** The module of a pipeline of the user's own. */
  readonly pipelineFile?: string | undefined
  /**
   * The implementing modules of each service that changes results, by the name in a stage's `resultServices`.
   */
  readonly serviceFiles: { readonly [service: string]: ReadonlyArray<string> }
  /** A folder of what such a service is besides, in another language: all of it counts. */
  readonly serviceFolders?: { readonly [service: string]: string }
  /** What the running build was made of; `undefined` where services run from their sources. */
  readonly builtSources?: () => BuiltSources | undefined
  /** Whether the package's own stages run as they were built, and not from bundles. */
  readonly stagesFromBuild?: boolean
}

/** A file with exactly the code that was hashed: it exports the stage, its body included. */
export interface CodeBundle {
  readonly file: string
  /** Where its packages are looked up. */
  readonly root: string
}

/** The executable code of stages. */
export class CodeBundles extends Context.Service<
  CodeBundles,
  {
    readonly of: (
      job: Pick<JobRequest, "stage" | "params" | "inputs">
    ) => Effect.Effect<CodeBundle, CodeUnreadable>
  }
>()("infra/code/CodeBundles") {}

/** The engine stands under the version in `job/1`. */
const isEnginePath = (path: string): boolean =>
  path.startsWith("lib/workflow/") || path.startsWith("lib/storage/")

interface Part {
  /** `ImageCodec:` for a service, nothing for the stage itself. */
  readonly prefix: string
  readonly known: Known
}

const prefixed = <A>({ prefix }: Part, record: { readonly [id: string]: A }): { readonly [id: string]: A } =>
  Object.fromEntries(Object.entries(record).map(([id, value]) => [`${prefix}${id}`, value]))

/** A name that stands for several installed versions has all of them. */
const mergedPackages = (parts: ReadonlyArray<Part>): CodeIdentity["packages"] => {
  const found = new Map<string, Set<string>>()
  for (const { known } of parts) {
    for (const [name, identity] of Object.entries(known.packages)) {
      found.set(name, new Set([...(found.get(name) ?? []), ...identity.split(", ")]))
    }
  }
  const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(sorted.map(([name, identities]) => [name, [...identities].sort().join(", ")]))
}

const assemble = (hasher: Hasher["Service"], parts: ReadonlyArray<Part>): JobCode => {
  const declarations: CodeIdentity["declarations"] = Object.assign(
    {},
    ...parts.map((part) => prefixed(part, part.known.declarations))
  )
  const packages = mergedPackages(parts)
  return {
    identity: { digest: fingerprint(hasher, "code/1", { declarations, packages }), declarations, packages },
    lines: Object.assign({}, ...parts.map((part) => prefixed(part, part.known.lines)))
  }
}

/** One result for each list of parts, however many jobs share them. */
const assembling = (hasher: Hasher["Service"]) => {
  const numbers = new Map<Known, number>()
  const made = new Map<string, JobCode>()
  return (parts: ReadonlyArray<Part>): JobCode => {
    for (const { known } of parts) if (!numbers.has(known)) numbers.set(known, numbers.size)
    const key = parts.map(({ known, prefix }) => `${prefix}${numbers.get(known)}`).join(" ")
    const code = made.get(key) ?? assemble(hasher, parts)
    made.set(key, code)
    return code
  }
}

type StageFilesOf = (stageName: string) => Promise<StageFiles>

/** Throws an error for a stage that is not ours. */
const ownStageFiles = ({ packageRoot: root, pipelineFile }: CodeOptions, name: string): StageFiles => {
  const contract = `stages/${name}.ts`
  if (existsSync(join(root, contract))) return { root, contract, body: `stages/${name}.run.ts` }
  const searched = pipelineFile === undefined ? "no pipeline's module is known to" : `${pipelineFile} must`
  throw new Error(
    `it is none of distillery's; ${searched} import, by a relative path, the module that defines it by ` +
      `Stage.make("${name}", { run: () => import("./…") })`
  )
}

const stageFilesBy = (options: CodeOptions, sources: SourceDigests): StageFilesOf => {
  const { pipelineFile, stageFiles } = options
  if (stageFiles !== undefined) return stageFiles
  if (pipelineFile === undefined) return async (name) => ownStageFiles(options, name)
  const ofUser = userStages({ ...options, pipelineFile, sources })
  return async (name) => (await ofUser(name)) ?? ownStageFiles(options, name)
}

/** Each stage's files are looked for once. */
const stageUnitsBy = (filesOf: StageFilesOf) => {
  const units = new Map<string, Promise<CodeUnit>>()
  const unitOf = async (stageName: string): Promise<CodeUnit> => {
    const { body, contract, root } = await filesOf(stageName)
    return { root, hashed: [{ path: body, names: ["run"] }], executed: { path: contract, stageName } }
  }
  return (stageName: string): Promise<CodeUnit> => {
    const unit = units.get(stageName) ?? unitOf(stageName)
    units.set(stageName, unit)
    return unit
  }
}

const filesIn = (root: string, folder: string | undefined): ReadonlyArray<string> =>
  folder === undefined
    ? []
    : readdirSync(join(root, folder))
        .sort()
        .map((name) => `${folder}/${name}`)

/** The code of services, which are refused where they do not run as they stand. */
const serviceUnitsBy = ({ packageRoot: root, serviceFiles, serviceFolders = {} }: CodeOptions) => {
  const units = new Map<string, CodeUnit>()
  return (service: string): CodeUnit => {
    const files = serviceFiles[service]
    if (files === undefined) throw new Error(`nothing is known to implement its service "${service}"`)
    const unit = units.get(service) ?? {
      root,
      hashed: files.map((path) => ({ path, names: "all" as const })),
      whole: filesIn(root, serviceFolders[service])
    }
    units.set(service, unit)
    return unit
  }
}

const attempt = <A>(stage: string, use: () => Promise<A>) =>
  Effect.tryPromise({
    try: use,
    catch: (error) => new CodeUnreadable({ stage, reason: (error as Error).message })
  })

/** Of code that runs as it was built. */
const refusingOld =
  ({ builtSources, packageRoot }: CodeOptions, sources: SourceDigests) =>
  async (what: string, known: Known): Promise<void> => {
    const built = builtSources?.()
    if (built !== undefined) await refuseStale(what, known.sources, { packageRoot, built, sources })
  }

const make = (options: CodeOptions, hasher: Hasher["Service"]) => {
  const { codeFolder, packageRoot, stagesFromBuild = false } = options
  const sources = new SourceDigests(join(codeFolder, "sources.index"))
  const stageUnit = stageUnitsBy(stageFilesBy(options, sources))
  const serviceUnit = serviceUnitsBy(options)
  const isEngine = (root: string, path: string) => root === packageRoot && isEnginePath(path)
  const knowledge = new Knowledge({ codeFolder, sources, isEngine })
  const assembled = assembling(hasher)
  /** What was found sound: stages by their name, services by theirs and a colon. */
  const sound = new Map<string, CodeUnit>()

  const refuseOld = refusingOld(options, sources)

  const serviceKnown = async (service: string, names: Names): Promise<Known> => {
    const unit = serviceUnit(service)
    const known = await knowledge.of(unit, names)
    await refuseOld(`its service "${service}"`, known)
    sound.set(`${service}:`, unit)
    return known
  }

  /** Jobs are many and stages few: what was found for one job is told to the next without a promise. */
  const readyParts = ({ names, resultServices, stageName }: CodeRequest) => {
    const parts: Array<Part> = []
    for (const prefix of ["", ...resultServices.map((service) => `${service}:`)]) {
      const unit = sound.get(prefix === "" ? stageName : prefix)
      const known = unit && knowledge.ready(unit, names)
      if (known === undefined) return undefined
      parts.push({ prefix, known })
    }
    return parts
  }

  const findParts = async ({ names, resultServices, stageName }: CodeRequest) => {
    const unit = await stageUnit(stageName)
    const own = await knowledge.of(unit, names)
    if (stagesFromBuild && unit.root === packageRoot) await refuseOld("it, in this process,", own)
    const parts: Array<Part> = [{ prefix: "", known: own }]
    sound.set(stageName, unit)
    for (const service of resultServices) {
      parts.push({ prefix: `${service}:`, known: await serviceKnown(service, names) })
    }
    return parts
  }

  const codeOf = (request: CodeRequest) =>
    Effect.suspend(() => {
      const ready = readyParts(request)
      if (ready !== undefined) return Effect.succeed(assembled(ready))
      return attempt(request.stageName, async () => assembled(await findParts(request)))
    })

  const check = Effect.fn("CodeClosure.check")(({ resultServices, stageName }: Omit<CodeRequest, "names">) =>
    attempt(stageName, async () => {
      await knowledge.check(await stageUnit(stageName))
      for (const service of resultServices) await serviceKnown(service, () => new Set())
    })
  )

  const bundleOf = Effect.fn("CodeBundles.of")(
    ({ inputs, params, stage: { stageName } }: Pick<JobRequest, "stage" | "params" | "inputs">) =>
      attempt(stageName, async () => {
        const unit = await stageUnit(stageName)
        const known = await knowledge.of(unit, () => namesIn([params, inputs]))
        return { file: known.bundle!, root: unit.root }
      })
  )
  return { codeOf, check, bundleOf }
}

export const codeClosureLayer = (
  options: CodeOptions
): Layer.Layer<CodeClosure | CodeBundles, never, Hasher> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { bundleOf, check, codeOf } = make(options, yield* Hasher)
      return Context.make(CodeClosure, { of: codeOf, check }).pipe(Context.add(CodeBundles, { of: bundleOf }))
    })
  )
