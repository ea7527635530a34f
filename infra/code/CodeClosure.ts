/**
 * `CodeClosure` for stages whose contract is `stages/<name>.ts` and whose body is `stages/<name>.run.ts`.
 *
 * Hashed is the body; executed is one bundle of contract and body, made in the same pass from the same
 * sources. Both are kept on disk beside a list of the sources' digests, so that a warm plan reads files and
 * starts no esbuild.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { Context, Effect, Layer, Option, Schema } from "effect"
import { Digest, Hasher, hexOf } from "../../lib/storage/Digest.ts"
import { CodeClosure, type CodeIdentity, CodeUnreadable } from "../../lib/workflow/CodeClosure.ts"
import { canonicalJson, fingerprint } from "../../lib/workflow/Fingerprint.ts"
import { digestOf } from "../hashing.ts"
import { writeAtomically } from "../stores/atomicFiles.ts"
import { makeFolder } from "../stores/makeFolder.ts"
import { bundle } from "./bundling.ts"
import { lockedPackages } from "./lockedPackages.ts"

/** Where the code of a stage lies, by path from the package's root. */
export interface StageFiles {
  readonly contract: string
  readonly body: string
}

export interface CodeOptions {
  readonly packageRoot: string
  /** Where bundles and what is known about them are kept. */
  readonly codeFolder: string
  readonly stageFiles?: (stageName: string) => StageFiles
  /**
   * The implementing module of each service that changes results, by the name in a stage's `resultServices`.
   */
  readonly serviceFiles: { readonly [service: string]: string }
}

/** The executable code of stages: a module that exports the stage, body included. */
export class CodeBundles extends Context.Service<
  CodeBundles,
  {
    /** A file with exactly the code that was hashed. Its packages resolve from `packageRoot`. */
    readonly of: (stageName: string) => Effect.Effect<{ readonly file: string }, CodeUnreadable>
    readonly packageRoot: string
  }
>()("infra/code/CodeBundles") {}

/** What was found about one entry the last time; true as long as all sources have these digests. */
const Known = Schema.Struct({
  schemaVersion: Schema.Literal(1),
  bundler: Schema.String,
  sources: Schema.Record(Schema.String, Digest),
  modules: Schema.Record(Schema.String, Digest),
  packages: Schema.Array(Schema.String),
  bundle: Digest
})
type Known = typeof Known.Type

const decodeKnown = Schema.decodeUnknownOption(Schema.fromJsonString(Known))

const defaultStageFiles = (stageName: string): StageFiles => ({
  contract: `stages/${stageName}.ts`,
  body: `stages/${stageName}.run.ts`
})

/** Promises by key; a failed one is asked again. */
const remembered = <A>(make: (key: string) => Promise<A>): ((key: string) => Promise<A>) => {
  const made = new Map<string, Promise<A>>()
  return (key) => {
    const known = made.get(key)
    if (known !== undefined) return known
    const promise = make(key)
    made.set(key, promise)
    promise.catch(() => made.delete(key))
    return promise
  }
}

const makeKnowledge = (options: CodeOptions) => {
  const { packageRoot, codeFolder } = options
  const packageIdentity = lockedPackages(packageRoot)
  const bundler = `esbuild ${packageIdentity("esbuild")}`
  const sourceDigest = remembered(async (path) => digestOf(await readFile(join(packageRoot, path))))
  const bundleFile = (digest: Digest) => join(codeFolder, `${hexOf(digest)}.mjs`)
  const knownFile = ({ contract, body }: StageFiles) =>
    join(codeFolder, "known", `${hexOf(digestOf(canonicalJson([contract, body]))).slice(0, 32)}.json`)

  const write = async (target: string, bytes: Uint8Array) => {
    await makeFolder(join(codeFolder, "tmp"))
    await writeAtomically({ temporaryFolder: join(codeFolder, "tmp"), target, bytes, onlyIfAbsent: false })
  }

  const stillTrue = async (known: Known): Promise<boolean> => {
    if (known.bundler !== bundler) return false
    const same = Object.entries(known.sources).map(
      async ([path, digest]) => (await sourceDigest(path).catch(() => undefined)) === digest
    )
    if (!(await Promise.all(same)).every((one) => one)) return false
    const text = await readFile(bundleFile(known.bundle)).catch(() => undefined)
    return text !== undefined && digestOf(text) === known.bundle
  }

  const learn = async (files: StageFiles): Promise<Known> => {
    const made = await bundle({ packageRoot, hashed: files.body, executed: files.contract })
    const text = new TextEncoder().encode(made.text)
    const { sources, modules, packages } = made
    const known: Known = { schemaVersion: 1, bundler, sources, modules, packages, bundle: digestOf(text) }
    await write(bundleFile(known.bundle), text)
    await write(knownFile(files), new TextEncoder().encode(JSON.stringify(known)))
    return known
  }

  const knownOf = remembered(async (key) => {
    const files = JSON.parse(key) as StageFiles
    const text = await readFile(knownFile(files), "utf8").catch(() => "")
    const known = decodeKnown(text)
    return Option.isSome(known) && (await stillTrue(known.value)) ? known.value : learn(files)
  })
  return {
    packageIdentity,
    bundleFile,
    of: (files: StageFiles) => knownOf(JSON.stringify({ contract: files.contract, body: files.body }))
  }
}

const make = (options: CodeOptions, hasher: Hasher["Service"]) => {
  const knowledge = makeKnowledge(options)
  const stageFiles = options.stageFiles ?? defaultStageFiles
  const learned = (stage: string, files: StageFiles) =>
    Effect.tryPromise({
      try: () => knowledge.of(files),
      catch: (error) => new CodeUnreadable({ stage, reason: (error as Error).message })
    })

  const serviceFile = (stage: string, service: string) => {
    const file = options.serviceFiles[service]
    return file === undefined
      ? Effect.fail(
          new CodeUnreadable({ stage, reason: `nothing is known to implement its service "${service}"` })
        )
      : Effect.succeed(file)
  }

  const packagesOf = (stage: string, names: ReadonlyArray<string>) =>
    Effect.forEach(names, (name) => {
      const identity = knowledge.packageIdentity(name)
      return identity === undefined
        ? Effect.fail(new CodeUnreadable({ stage, reason: `its package "${name}" is not installed` }))
        : Effect.succeed([name, identity] as const)
    })

  const identityOf = Effect.fn("CodeClosure.of")(function* (
    stage: string,
    resultServices: ReadonlyArray<string>
  ) {
    const parts = [yield* learned(stage, stageFiles(stage))]
    for (const service of resultServices) {
      const file = yield* serviceFile(stage, service)
      parts.push(yield* learned(stage, { contract: file, body: file }))
    }
    const modules: CodeIdentity["modules"] = Object.assign({}, ...parts.map((part) => part.modules))
    const names = [...new Set(parts.flatMap((part) => part.packages))].sort()
    const packages = Object.fromEntries(yield* packagesOf(stage, names))
    return { digest: fingerprint(hasher, "code/1", { modules, packages }), modules, packages }
  })

  const bundleOf = Effect.fn("CodeBundles.of")(function* (stage: string) {
    return { file: knowledge.bundleFile((yield* learned(stage, stageFiles(stage))).bundle) }
  })
  return { identityOf, bundleOf }
}

export const codeClosureLayer = (
  options: CodeOptions
): Layer.Layer<CodeClosure | CodeBundles, never, Hasher> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const { identityOf, bundleOf } = make(options, yield* Hasher)
      return Context.make(CodeClosure, { of: identityOf }).pipe(
        Context.add(CodeBundles, { of: bundleOf, packageRoot: options.packageRoot })
      )
    })
  )
