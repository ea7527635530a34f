/**
 * Whether installed packages still hold what the lock file's integrity stands for. The archives are had from
 * npm (its cache has what it installed), verified against the integrity, and compared file by file.
 */
import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { gunzip } from "node:zlib"
import { Effect } from "effect"
import { readTar } from "../../lib/data/tar.ts"
import type { Leak } from "../../lib/workflow/Leak.ts"
import type { InstalledPackage } from "../code/lockedPackages.ts"

const run = promisify(execFile)
const inflate = promisify(gunzip)

/** What npm calls the archive of a package: `@scope/name` 1.0.0 → `scope-name-1.0.0.tgz`. */
const archiveName = (name: string, version: string): string =>
  `${name.replace(/^@/, "").replace("/", "-")}-${version}.tgz`

const integrityOf = (bytes: Uint8Array): string =>
  `sha512-${createHash("sha512").update(bytes).digest("base64")}`

/** The archive's members by their path in the package; npm puts all below one folder. */
const membersOf = async (name: string, archive: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> => {
  const entries = await Effect.runPromise(readTar(name, await inflate(archive)))
  return new Map(entries.map((entry) => [entry.name.slice(entry.name.indexOf("/") + 1), entry.bytes]))
}

/** Only what Node may load: people edit read-mes, and npm rewrites `package.json` of some packages. */
const isCode = (path: string): boolean => /\.([cm]?js|json|node|wasm)$/.test(path) && path !== "package.json"

const changedFile = async ({ folder, name }: InstalledPackage, archive: Uint8Array) => {
  for (const [path, bytes] of await membersOf(name, archive)) {
    if (!isCode(path)) continue
    const found = await readFile(join(folder, path)).catch(() => undefined)
    if (found === undefined || Buffer.compare(found, bytes) !== 0) return path
  }
  return undefined
}

export interface PackageCheck {
  readonly leaks: ReadonlyArray<Leak>
  /** Packages whose archive could not be had, or that no integrity is known of. */
  readonly unchecked: ReadonlyArray<string>
}

const verdictOn = async (one: InstalledPackage, archives: string): Promise<Leak | "sound" | "unchecked"> => {
  const [version = "", integrity = ""] = one.identity.split(" ")
  const archive = await readFile(join(archives, archiveName(one.name, version))).catch(() => undefined)
  if (archive === undefined || integrityOf(archive) !== integrity) return "unchecked"
  const file = await changedFile(one, archive)
  if (file === undefined) return "sound"
  const what = `${one.name} ${version} was changed after it was installed: ${file}`
  return { kind: "package", what, where: null }
}

/** Resolves with what npm could fetch; one package that it cannot have does not keep it from the others. */
const fetchArchives = async (packages: ReadonlyArray<InstalledPackage>, folder: string): Promise<void> => {
  const specs = packages.map(({ identity, name }) => `${name}@${identity.split(" ")[0]}`)
  const pack = (wanted: ReadonlyArray<string>) =>
    run("npm", ["pack", ...wanted, "--prefer-offline", "--ignore-scripts", "--silent"], { cwd: folder })
  await pack(specs).catch(async () => {
    for (const spec of specs) await pack([spec]).catch(() => undefined)
  })
}

export const checkPackages = async (packages: ReadonlyArray<InstalledPackage>): Promise<PackageCheck> => {
  const locked = packages.filter(({ identity }) => / sha512-/.test(identity))
  const folder = await mkdtemp(join(tmpdir(), "distillery-strict-"))
  try {
    if (locked.length > 0) await fetchArchives(locked, folder)
    const verdicts = await Promise.all(
      packages.map(async (one) => [one.name, await verdictOn(one, folder)] as const)
    )
    return {
      leaks: verdicts.flatMap(([, verdict]) => (typeof verdict === "object" ? [verdict] : [])),
      unchecked: verdicts.flatMap(([name, verdict]) => (verdict === "unchecked" ? [name] : []))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
