/**
 * The identity of installed packages: version and integrity, from what npm recorded about the installation.
 */
import { existsSync, readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { dirname, join, relative, sep } from "node:path"

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

/** A folder and all above it, nearest first. */
const ancestry = (folder: string): ReadonlyArray<string> =>
  dirname(folder) === folder ? [folder] : [folder, ...ancestry(dirname(folder))]

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
  /** The lock may stand further up: npm records nested packages with the installation's root. */
  const integrityOf = (installed: string, version: string | undefined): string | undefined =>
    ancestry(dirname(installed))
      .flatMap((folder) => {
        const path = relative(folder, installed).split(sep).join("/")
        return locksOf(folder).map((lock) => lock.packages?.[path])
      })
      .find((locked) => locked?.integrity !== undefined && locked.version === version)?.integrity
  return (name) => {
    const installed = ancestry(packageRoot)
      .map((folder) => join(folder, "node_modules", name))
      .find((folder) => existsSync(join(folder, "package.json")))
    if (installed === undefined) return undefined
    const text = readFileSync(join(installed, "package.json"), "utf8")
    const { version } = JSON.parse(text) as { version?: string }
    return `${version ?? "unversioned"} ${integrityOf(installed, version) ?? "unlocked"}`
  }
}
