/**
 * The identity of installed packages: version and integrity, from what npm recorded about the installation.
 */
import { existsSync, readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { dirname, join } from "node:path"

interface Lock {
  readonly packages?: { readonly [path: string]: { readonly version?: string; readonly integrity?: string } }
}

/**
 * The package an import names, `undefined` for Node's own modules: `@scope/name/deep/file.js` →
 * `@scope/name`.
 */
export const packageNameOf = (specifier: string): string | undefined => {
  if (isBuiltin(specifier)) return undefined
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/")
}

/**
 * What is installed, then what should be: an installation made by other means than npm has only the latter.
 */
const readLocks = (folder: string): ReadonlyArray<Lock> =>
  [join(folder, "node_modules/.package-lock.json"), join(folder, "package-lock.json")]
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, "utf8")) as Lock)

/**
 * Looks packages up as Node would from `packageRoot`. The identity is `<version> <integrity>`; a package that
 * no lock file covers has `<version> unlocked`, and one that is not installed `undefined`.
 */
export const lockedPackages = (packageRoot: string): ((name: string) => string | undefined) => {
  const known = new Map<string, ReadonlyArray<Lock>>()
  const locksOf = (folder: string): ReadonlyArray<Lock> => {
    const locks = known.get(folder) ?? readLocks(folder)
    known.set(folder, locks)
    return locks
  }
  const found = (name: string, folder: string): string | undefined => {
    const manifest = join(folder, "node_modules", name, "package.json")
    if (!existsSync(manifest)) return dirname(folder) === folder ? undefined : found(name, dirname(folder))
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version?: string }
    const locked = locksOf(folder).map((lock) => lock.packages?.[`node_modules/${name}`])
    const integrity = locked.find((one) => one !== undefined && one.version === version)?.integrity
    return `${version ?? "unversioned"} ${integrity ?? "unlocked"}`
  }
  return (name) => found(name, packageRoot)
}
