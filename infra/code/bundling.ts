/**
 * Bundles our own modules with esbuild, packages left outside, and tells which modules and packages are in.
 * Every source is read once, and what is hashed is what is bundled.
 */
import { readFile } from "node:fs/promises"
import { extname, join, relative, sep } from "node:path"
import type { BuildResult, Loader, Message, Metafile, Plugin } from "esbuild"
import type { Digest } from "../../lib/storage/Digest.ts"
import { digestOf } from "../hashing.ts"
import { packageNameOf } from "./lockedPackages.ts"

/** A bundle that could not be made, or code that cannot be followed; the message names file and line. */
export class BundlingFailed extends Error {}

export interface Bundle {
  /** ES module text, packages imported by name. */
  readonly text: string
  /** Digest of each source as it lies on disk, by path from the root: when one changes, bundle again. */
  readonly sources: { readonly [path: string]: Digest }
  /** Digest of the normalised code of each module of `hashed` that has bytes in its bundle. */
  readonly modules: { readonly [path: string]: Digest }
  /** Packages that those modules import. */
  readonly packages: ReadonlyArray<string>
}

export interface BundleOptions {
  readonly packageRoot: string
  /** The module whose closure is hashed, by path from the root. */
  readonly hashed: string
  /** The module whose bundle is returned; it reaches `hashed`. */
  readonly executed: string
}

const loaders: { readonly [extension: string]: Loader } = {
  ".ts": "ts",
  ".js": "js",
  ".mjs": "js",
  ".json": "json"
}

const readSources = (packageRoot: string, sources: Map<string, string>): Plugin => ({
  name: "read-sources",
  setup: (build) => {
    build.onLoad({ filter: /.*/, namespace: "file" }, async ({ path }) => {
      const contents = await readFile(path, "utf8")
      sources.set(relative(packageRoot, path).split(sep).join("/"), contents)
      return { contents, loader: loaders[extname(path)] ?? "ts" }
    })
  }
})

const located = (message: Message): string => {
  const { location } = message
  return location === null ? message.text : `${location.file}:${location.line}: ${message.text}`
}

/** The engine stands under the version in `job/1`. */
const isEngine = (path: string): boolean =>
  path.startsWith("lib/workflow/") || path.startsWith("lib/storage/")

const refuseGlobs = (metafile: Metafile, sources: ReadonlyMap<string, string>): void => {
  for (const [path, { imports }] of Object.entries(metafile.inputs)) {
    if (!imports.some((one) => one.path.includes("*"))) continue
    const lines = (sources.get(path) ?? "").split("\n")
    const line =
      lines.findIndex((text) => /\b(import|require)\s*\(\s*[`"'][^"'`]*(\$\{|["'`]\s*\+)/.test(text)) + 1
    throw new BundlingFailed(
      `${path}:${line}: an import() whose path is made at run time cannot be hashed; write the paths out`
    )
  }
}

const refuseComputed = (result: BuildResult): void => {
  const computed = result.warnings.find(({ id }) => id.startsWith("unsupported-"))
  if (computed === undefined) return
  throw new BundlingFailed(
    `${located(computed)}. An import() whose path is made at run time cannot be hashed; write the paths out.`
  )
}

type Esbuild = typeof import("esbuild")

let numBundlings = 0
let release: NodeJS.Timeout | undefined

/** Bundlings follow one another closely while planning; a run that follows takes hours. */
const idleMillis = 500

/** esbuild works in a process of its own, which is ended when nothing was asked of it for a while. */
const withEsbuild = async <A>(use: (esbuild: Esbuild) => Promise<A>): Promise<A> => {
  const esbuild = await import("esbuild")
  clearTimeout(release)
  numBundlings += 1
  try {
    return await use(esbuild)
  } finally {
    numBundlings -= 1
    if (numBundlings === 0) release = setTimeout(() => void esbuild.stop(), idleMillis).unref()
  }
}

const normalisedDigest = async ({ transform }: Esbuild, path: string, source: string): Promise<Digest> => {
  const loader = loaders[extname(path)]
  if (loader !== "ts" && loader !== "js") return digestOf(source)
  const { code } = await transform(source, {
    loader,
    minifyWhitespace: true,
    legalComments: "none",
    charset: "utf8",
    tsconfigRaw: "{}"
  })
  return digestOf(code)
}

const runEsbuild = async ({ build }: Esbuild, options: BundleOptions, sources: Map<string, string>) => {
  const result = await build({
    absWorkingDir: options.packageRoot,
    entryPoints: { hashed: options.hashed, executed: options.executed },
    outdir: "bundles",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    target: "es2024",
    packages: "external",
    tsconfigRaw: "{}",
    logLevel: "silent",
    logOverride: { "unsupported-dynamic-import": "warning", "unsupported-require-call": "warning" },
    plugins: [readSources(options.packageRoot, sources)]
  }).catch((error: { readonly errors?: ReadonlyArray<Message> }) => {
    throw new BundlingFailed(error.errors?.map(located).join("; ") ?? String(error))
  })
  refuseComputed(result)
  refuseGlobs(result.metafile, sources)
  return result
}

/** Throws `BundlingFailed`. */
export const bundle = (options: BundleOptions): Promise<Bundle> =>
  withEsbuild((esbuild) => bundleWith(esbuild, options))

const bundleWith = async (esbuild: Esbuild, options: BundleOptions): Promise<Bundle> => {
  const sources = new Map<string, string>()
  const { metafile, outputFiles } = await runEsbuild(esbuild, options, sources)
  const contributing = Object.entries(metafile.outputs["bundles/hashed.mjs"]!.inputs)
    .filter(([path, { bytesInOutput }]) => (bytesInOutput > 0 || path === options.hashed) && !isEngine(path))
    .map(([path]) => path)
    .sort()
  const imported = contributing
    .flatMap((path) => metafile.inputs[path]!.imports)
    .filter((one) => one.external === true)
    .flatMap((one) => packageNameOf(one.path) ?? [])
  const modules: Record<string, Digest> = {}
  for (const path of contributing) modules[path] = await normalisedDigest(esbuild, path, sources.get(path)!)
  return {
    text: outputFiles.find((file) => file.path === join(options.packageRoot, "bundles", "executed.mjs"))!
      .text,
    sources: Object.fromEntries([...sources].map(([path, source]) => [path, digestOf(source)])),
    modules,
    packages: [...new Set(imported)].sort()
  }
}
