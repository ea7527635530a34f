/**
 * Builds what the package ships: `node infra/build.ts`; with `--declarations`, as npm's `prepare` runs it
 * after an installation and before packing, the types of the entries too.
 *
 * `main.js` and its chunks hold Effect, so that the program starts in a moment; commands load their chunks
 * when called. `effect/` gives that copy of Effect to pipelines of the user's own (`cli/oneEffect.ts`).
 * `child.js` and the entries (`exports` in package.json) leave every package outside and are split as one:
 * they share Effect, tfjs and every module of ours with what is loaded at run time, the bundle of a stage and
 * a pipeline of the user's own. `sources.json` says what all of it was made of (`code/builtSources.ts`).
 */
import { existsSync } from "node:fs"
import { readdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type BuildOptions, type BuildResult, build, type Plugin } from "esbuild"
import packageJson from "../package.json" with { type: "json" }
import { sourceRecord } from "./code/sourceRecord.ts"

const packageRoot = join(import.meta.dirname, "..")

/** Building the program alone leaves them as they are. */
const declarationsFolder = "types"

const isEffect = /^(effect|@effect\/[\w-]+)(\/|$)/
const isInsideEffect = /[\\/]node_modules[\\/](effect|@effect)[\\/]/

/** Packages stay outside but for Effect's and what those import. */
const onlyEffectInside: Plugin = {
  name: "only-effect-inside",
  setup: ({ onResolve }) => {
    onResolve({ filter: /^[^./]/ }, ({ importer, kind, path }) => {
      const inside = kind === "entry-point" || isEffect.test(path) || isInsideEffect.test(importer)
      return inside ? undefined : { path, external: true }
    })
  }
}

/** Some CommonJS packages below Effect call `require` for Node's own modules. */
const requireBanner =
  'import { createRequire as __cr } from "node:module"; const require = __cr(import.meta.url);'

const shared = {
  absWorkingDir: packageRoot,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node22",
  metafile: true,
  logLevel: "warning"
} as const satisfies BuildOptions

/** What is kept of our own sources, by path from the root. */
const writeSources = async (
  folder: string,
  results: ReadonlyArray<BuildResult<typeof shared>>
): Promise<void> => {
  const paths = results.flatMap(({ metafile }) => Object.keys(metafile.inputs))
  const own = [...new Set(paths)].filter((path) => !path.includes("node_modules/")).sort()
  const records = own.map(async (path) => [path, await sourceRecord(join(packageRoot, path))] as const)
  await writeFile(
    join(folder, "sources.json"),
    JSON.stringify(Object.fromEntries(await Promise.all(records)))
  )
}

/** The path in `dist` that an entry is built to, without its ending. */
const builtPath = (file: string): string => file.slice("./dist/".length, -".js".length)
/** Declarations mirror the sources. */
const sourcePath = (types: string): string => `${types.slice("./dist/types/".length, -".d.ts".length)}.ts`

/** The sources of the package's `exports` by where they are built to. */
const entries = Object.fromEntries(
  Object.values(packageJson.exports).flatMap((entry) =>
    typeof entry === "string" ? [] : [[builtPath(entry.default), sourcePath(entry.types)]]
  )
)

const emptied = async (folder: string): Promise<void> => {
  const names = await readdir(folder).catch(() => [])
  const stale = names.filter((name) => name !== declarationsFolder)
  await Promise.all(stale.map((name) => rm(join(folder, name), { recursive: true })))
}

/** `effect/Schema` and its like, beside `effect/index.js`, whose namespaces they export name by name. */
const writeEffectModules = async (folder: string): Promise<void> => {
  const index: { readonly [name: string]: unknown } = await import("effect")
  const modules = (await readdir(join(packageRoot, "node_modules", "effect", "dist")))
    .filter((file) => file.endsWith(".js"))
    .map((file) => file.slice(0, -".js".length))
    .filter((name) => typeof index[name] === "object")
  for (const name of modules) {
    const exported = Object.keys(index[name] as object).map((key, at) => [key, `_${at}`] as const)
    const taken = exported.map(([key, local]) => `${key}: ${local}`)
    const given = exported.map(([key, local]) => `${local} as ${key}`)
    await writeFile(
      join(folder, `${name}.js`),
      `import { ${name} as all } from "./index.js"\n` +
        `const { ${taken.join(", ")} } = all\nexport { ${given.join(", ")} }\n`
    )
  }
}

/** Writes `main.js`, `child.js`, the entries and chunks; what lay in the folder is removed. */
export const buildProgram = async (folder: string): Promise<void> => {
  await emptied(folder)
  const main = await build({
    ...shared,
    entryPoints: {
      main: "infra/cli/main.ts",
      s3LineWorker: "infra/stores/s3LineWorker.ts",
      "effect/index": "effect"
    },
    outdir: folder,
    splitting: true,
    chunkNames: "[name]-[hash]",
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [onlyEffectInside],
    banner: { js: requireBanner }
  })
  await writeEffectModules(join(folder, "effect"))
  const child = await build({
    ...shared,
    entryPoints: { child: "infra/cli/child.ts", ...entries },
    outdir: folder,
    splitting: true,
    chunkNames: "shared-[name]-[hash]",
    packages: "external"
  })
  await writeSources(folder, [main, child])
}

/** `npm ci --omit=dev` leaves it out: such an installation runs, and packs nothing. */
const hasCompiler = (): boolean => existsSync(join(packageRoot, "node_modules", "typescript"))

if (import.meta.main) {
  const folder = join(packageRoot, "dist")
  await buildProgram(folder)
  if (process.argv.includes("--declarations") && hasCompiler()) {
    const { emitDeclarations } = await import("./declarations.ts")
    const files = Object.values(entries)
    await emitDeclarations({ packageRoot, files, folder: join(folder, declarationsFolder) })
  }
}
