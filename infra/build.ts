/**
 * Builds the command line program: `node infra/build.ts`, run by npm's `prepare`.
 *
 * `main.js` and its chunks hold Effect, so that the program starts in a moment; commands load their chunks
 * when called. `child.js` and `program-shared.js` leave every package outside: they share Effect and tfjs
 * with modules that they load at run time, the bundle of a stage and a pipeline of the user's own.
 */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { type BuildOptions, build, type Plugin } from "esbuild"

const packageRoot = join(import.meta.dirname, "..")

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

const shared: BuildOptions = {
  absWorkingDir: packageRoot,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node22",
  logLevel: "warning"
}

/** Writes `main.js`, `child.js` and chunks; what lay in the folder is removed. */
export const buildProgram = async (folder: string): Promise<void> => {
  await rm(folder, { recursive: true, force: true })
  await build({
    ...shared,
    entryPoints: { main: "infra/cli/main.ts" },
    outdir: folder,
    splitting: true,
    chunkNames: "[name]-[hash]",
    minifySyntax: true,
    minifyWhitespace: true,
    plugins: [onlyEffectInside],
    banner: { js: requireBanner }
  })
  await build({
    ...shared,
    entryPoints: { child: "infra/cli/child.ts", "program-shared": "infra/cli/program.ts" },
    outdir: folder,
    splitting: true,
    chunkNames: "shared-[name]-[hash]",
    packages: "external"
  })
}

if (import.meta.main) await buildProgram(join(packageRoot, "dist"))
