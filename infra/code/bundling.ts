/**
 * Bundles what is left of a stage's modules with esbuild, packages left outside. The text of a module of ours
 * is never read here: what is executed is what was hashed.
 */
import { readFile } from "node:fs/promises"
import { extname, join, relative, sep } from "node:path"
import type { Loader, Message, OutputFile, Plugin } from "esbuild"
import type { Digest } from "../../lib/storage/Digest.ts"
import { digestOf } from "../hashing.ts"
import { withEsbuild } from "./withEsbuild.ts"

/** A bundle that could not be made; the message names file and line. */
export class BundlingFailed extends Error {}

export interface BundleOptions {
  readonly root: string
  /** The module whose exports are the bundle's, by path from the root. */
  readonly entry: string
  /** Text of each module by path. */
  readonly texts: ReadonlyMap<string, string>
  /** Modules that stand outside of every closure are taken from disk as they are. */
  readonly isEngine: (path: string) => boolean
  /** Where the bundle is going to lie: its map leads from there to the sources. */
  readonly folder: string
}

export interface Bundle {
  /** ES module text, packages imported by name. */
  readonly text: string
  /** Source map, from the folder to the sources. */
  readonly map: string
  /** Digests of the engine's modules that are in it, by path from the root. */
  readonly engine: { readonly [path: string]: Digest }
}

const loaders: { readonly [extension: string]: Loader } = {
  ".js": "js",
  ".mjs": "js",
  ".json": "json"
}

const leftSources = ({ isEngine, root, texts }: BundleOptions, engine: Record<string, Digest>): Plugin => ({
  name: "left-sources",
  setup: ({ onLoad }) => {
    onLoad({ filter: /.*/, namespace: "file" }, async ({ path: file }) => {
      const path = relative(root, file).split(sep).join("/")
      const ofEngine = isEngine(path) ? await readFile(file, "utf8") : undefined
      if (ofEngine !== undefined) engine[path] = digestOf(ofEngine)
      const contents = texts.get(path) ?? ofEngine
      if (contents === undefined) return { errors: [{ text: `${path} was not hashed, and is imported` }] }
      return { contents, loader: loaders[extname(path)] ?? "ts" }
    })
  }
})

const located = (message: Message): string => {
  const { location } = message
  return location === null ? message.text : `${location.file}:${location.line}: ${message.text}`
}

const textOf = (files: ReadonlyArray<OutputFile>, extension: string): string =>
  files.find(({ path }) => path.endsWith(extension))!.text

/** Throws `BundlingFailed`. */
export const bundle = (options: BundleOptions): Promise<Bundle> =>
  withEsbuild(async ({ build }) => {
    const engine: Record<string, Digest> = {}
    const { outputFiles } = await build({
      absWorkingDir: options.root,
      // Sources are known by the paths that imports name, not by where links lead.
      preserveSymlinks: true,
      entryPoints: { bundle: join(options.root, options.entry) },
      outdir: options.folder,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      write: false,
      sourcemap: "external",
      sourcesContent: false,
      format: "esm",
      platform: "node",
      target: "es2024",
      packages: "external",
      tsconfigRaw: "{}",
      logLevel: "silent",
      plugins: [leftSources(options, engine)]
    }).catch((error: { readonly errors?: ReadonlyArray<Message> }) => {
      throw new BundlingFailed(error.errors?.map(located).join("; ") ?? String(error))
    })
    return { text: textOf(outputFiles, ".mjs"), map: textOf(outputFiles, ".mjs.map"), engine }
  })
