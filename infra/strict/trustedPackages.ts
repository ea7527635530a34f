/** The packages that Distillery itself installs: those of its `package.json` and what they depend on. */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { packageRootOf } from "../code/packageRoot.ts"

interface PackageJson {
  readonly dependencies?: { readonly [name: string]: string }
  readonly optionalDependencies?: { readonly [name: string]: string }
}

const manifestOf = (folder: string): PackageJson | undefined => {
  const file = join(folder, "package.json")
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as PackageJson) : undefined
}

const installed = (from: string, name: string): string | undefined => {
  const folder = join(from, "node_modules", name)
  if (existsSync(join(folder, "package.json"))) return folder
  const above = dirname(from)
  return above === from ? undefined : installed(above, name)
}

/** Names, found as Node finds them from the package that holds `folder`. */
export const trustedPackages = (folder: string): ReadonlySet<string> => {
  const names = new Set<string>()
  const visit = (at: string): void => {
    const { dependencies, optionalDependencies } = manifestOf(at) ?? {}
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (names.has(name)) continue
      names.add(name)
      const found = installed(at, name)
      if (found !== undefined) visit(found)
    }
  }
  visit(packageRootOf(pathToFileURL(join(folder, "any.js")).href))
  return names
}
