/**
 * Lets a module of the user's import the copy of Effect that is built into this program: schemas of one copy
 * do not decode under another, and the installed one takes 0.2 s more to load.
 *
 * What the copy does not hold (`effect/http`, …) comes from the installed one; a contract needs none of it.
 */
import { readdirSync } from "node:fs"
import { registerHooks } from "node:module"

/** File names without `.js` in `dist/effect`; none where the program runs from source. */
const builtModules = (folder: URL): ReadonlySet<string> =>
  new Set(readdirSync(folder).map((file) => file.slice(0, -".js".length)))

/** `effect` → `index`, `effect/Schema` → `Schema`, anything else `undefined`. */
const moduleNameOf = (specifier: string): string | undefined => {
  if (specifier === "effect") return "index"
  return specifier.startsWith("effect/") ? specifier.slice("effect/".length) : undefined
}

let isShared = false

/** Works from the first call on, for every module that is imported later. */
export const shareEffect = (): void => {
  if (isShared || import.meta.url.endsWith(".ts")) return
  isShared = true
  const folder = new URL("./effect/", import.meta.url)
  const built = builtModules(folder)
  registerHooks({
    resolve: (specifier, context, next) => {
      const name = moduleNameOf(specifier)
      return name !== undefined && built.has(name)
        ? { url: new URL(`${name}.js`, folder).href, format: "module", shortCircuit: true }
        : next(specifier, context)
    }
  })
}
