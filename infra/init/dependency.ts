/** How a project beside this package names it as a dependency. */
import { existsSync, readFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve, sep } from "node:path"

export interface Dependency {
  /** As it stands in package.json. */
  readonly spec: string
  /** It is a folder: npm is to install what it would pack, and not to link it. */
  readonly isFolder: boolean
}

interface Lock {
  readonly packages?: { readonly [path: string]: { readonly resolved?: string } }
}

const fileScheme = "file:"

/** From the project, with `/`. */
const fileSpec = (project: string, file: string): string =>
  `${fileScheme}${relative(project, file).split(sep).join("/")}`

/** The file that npm unpacked into `node_modules`; absent where it came from a registry. */
const installedFrom = (packageRoot: string): string | undefined => {
  const modules = dirname(packageRoot)
  const lockFile = join(modules, ".package-lock.json")
  if (!existsSync(lockFile)) return undefined
  const { packages } = JSON.parse(readFileSync(lockFile, "utf8")) as Lock
  const resolved = packages?.[`node_modules/${basename(packageRoot)}`]?.resolved
  return resolved?.startsWith(fileScheme) === true
    ? resolve(dirname(modules), resolved.slice(fileScheme.length))
    : undefined
}

/** The running package itself: its version, the tarball it was installed from, or its checkout. */
export const dependencyOn = (packageRoot: string, version: string, project: string): Dependency => {
  if (basename(dirname(packageRoot)) !== "node_modules") {
    return { spec: fileSpec(project, packageRoot), isFolder: true }
  }
  const file = installedFrom(packageRoot)
  return { spec: file === undefined ? version : fileSpec(project, file), isFolder: false }
}
