/**
 * The identity of installed packages: version and integrity, from what npm recorded about the installation,
 * of those that code imports and of all that they depend on.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs"
import { isBuiltin } from "node:module"
import { dirname, join, relative, sep } from "node:path"
import { sha256 } from "../files/hashFile.ts"

interface Lock {
  readonly packages?: { readonly [path: string]: { readonly version?: string; readonly integrity?: string } }
}

interface PackageJson {
  readonly version?: string
  readonly dependencies?: { readonly [name: string]: string }
  readonly optionalDependencies?: { readonly [name: string]: string }
}

/**
 * The package an import names, `undefined` for Node's own modules: `@scope/name/deep/file.js` →
 * `@scope/name`.
 */
export const packageNameOf = (specifier: string): string | undefined => {
  if (isBuiltin(specifier)) return undefined
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/")
}

/** What this package depends on comes in by the services that a stage asks for. */
const ourName = "distillery"

/** Packages without code. */
const isTypes = (name: string): boolean => name.startsWith("@types/")

/** A folder and all above it, nearest first. */
const ancestry = (folder: string): ReadonlyArray<string> =>
  dirname(folder) === folder ? [folder] : [folder, ...ancestry(dirname(folder))]

/**
 * What is installed, then what should be: an installation made by other means than npm has only the latter.
 */
const lockFiles = (folder: string): ReadonlyArray<string> => [
  join(folder, "node_modules/.package-lock.json"),
  join(folder, "package-lock.json")
]

export class PackageNotInstalled extends Error {
  constructor(name: string) {
    super(`its package "${name}" is not installed`)
  }
}

export interface InstalledPackage {
  readonly name: string
  /** `<version> <integrity>`, or `<version> unlocked`. */
  readonly identity: string
  readonly folder: string
}

export interface LockedPackages {
  /**
   * By name: `<version> <integrity>`, or `<version> unlocked` where no lock file covers it; for a folder that
   * is linked to, `<version> linked:<digest of its code>`.
   */
  readonly identities: { readonly [name: string]: string }
  /** Each of them where it lies. */
  readonly installed: ReadonlyArray<InstalledPackage>
  /** Files that say so, there or not: while they are as they were, so are the identities. */
  readonly files: ReadonlyArray<string>
}

const isCode = (name: string): boolean => /\.([cm]?[jt]s|json|node|wasm)$/.test(name)

/** In a stable order, without hidden files and installed packages. */
const codeFilesBelow = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith(".") && name !== "node_modules")
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return codeFilesBelow(path)
      return entry.isFile() && isCode(entry.name) ? [path] : []
    })

class Installation {
  readonly files = new Set<string>()
  readonly #locks = new Map<string, Lock>()

  json<A>(file: string): A | undefined {
    this.files.add(file)
    return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as A) : undefined
  }

  /** As Node would find it from a folder; its real place, and what it says of itself. */
  find(name: string, from: string): { readonly folder: string; readonly json: PackageJson } | undefined {
    const folder = ancestry(from)
      .map((above) => join(above, "node_modules", name))
      .find((candidate) => existsSync(join(candidate, "package.json")))
    if (folder === undefined) return undefined
    return { folder, json: this.json<PackageJson>(join(folder, "package.json"))! }
  }

  /** The lock may stand further up: npm records nested packages with the installation's root. */
  identity(folder: string, { version }: PackageJson): string {
    const linked = this.#linked(folder)
    if (linked !== undefined) return `${version ?? "unversioned"} ${linked}`
    const locked = ancestry(dirname(folder))
      .flatMap((above) => {
        const path = relative(above, folder).split(sep).join("/")
        return lockFiles(above).map((file) => this.#lock(file).packages?.[path])
      })
      .find((one) => one?.integrity !== undefined && one.version === version)
    return `${version ?? "unversioned"} ${locked?.integrity ?? "unlocked"}`
  }

  /**
   * Of a package that is worked on, a workspace or a linked folder, no lock says what it holds: its code
   * does. `undefined` for one that was installed.
   */
  #linked(folder: string): string | undefined {
    const real = realpathSync(folder)
    if (real.split(sep).includes("node_modules")) return undefined
    const contents = codeFilesBelow(real).map((file) => {
      this.files.add(file)
      return [relative(real, file), sha256(readFileSync(file))] as const
    })
    return `linked:${sha256(Buffer.from(JSON.stringify(contents)))}`
  }

  #lock(file: string): Lock {
    const known = this.#locks.get(file) ?? this.json<Lock>(file) ?? {}
    this.#locks.set(file, known)
    return known
  }
}

const identitiesOf = (installed: ReadonlyArray<InstalledPackage>): LockedPackages["identities"] =>
  Object.fromEntries(
    [...new Set(installed.map(({ name }) => name))].sort().map((name) => {
      const found = installed.filter((one) => one.name === name).map(({ identity }) => identity)
      return [name, [...new Set(found)].sort().join(", ")]
    })
  )

/**
 * Looks packages up as Node would from `root`, and what they depend on from where they lie; what is optional
 * or a peer is left out. A name that stands for several versions has all of them, with commas between.
 * Throws `PackageNotInstalled`.
 */
export const lockedPackages = (root: string, names: ReadonlyArray<string>): LockedPackages => {
  const installation = new Installation()
  const installed: Array<InstalledPackage> = []
  const done = new Set<string>()
  const add = (name: string, from: string): boolean => {
    const found = installation.find(name, from)
    if (found === undefined) return false
    const { folder, json } = found
    if (done.has(folder)) return true
    done.add(folder)
    installed.push({ name, identity: installation.identity(folder, json), folder })
    if (name === ourName) return true
    const { dependencies = {}, optionalDependencies = {} } = json
    for (const inner of Object.keys(dependencies)) {
      if (!(inner in optionalDependencies) && !isTypes(inner)) add(inner, realpathSync(folder))
    }
    return true
  }
  for (const name of names) if (!add(name, root)) throw new PackageNotInstalled(name)
  return {
    identities: identitiesOf(installed),
    installed,
    files: [...installation.files].sort()
  }
}
