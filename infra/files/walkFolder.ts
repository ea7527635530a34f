/** The visible files below a folder, with what the system says of each. */
import { lstatSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs"

/** `path` is below the folder, `/`-separated. The stats are not kept: a million of them would fill memory. */
export type Visit = (path: string, stats: Stats) => void

/** Where and why a folder could not be walked. */
export class FolderUnreadable extends Error {
  readonly path: string
  readonly reason: string

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`)
    this.path = path
    this.reason = reason
  }
}

export const readingFailure = (path: string, cause: unknown): FolderUnreadable => {
  if (cause instanceof FolderUnreadable) return cause
  const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown }
  if (code === "ENOENT") return new FolderUnreadable(path, "it does not exist")
  if (code === "ENOTDIR") return new FolderUnreadable(path, "it is no folder")
  if (code === "EACCES" || code === "EPERM") return new FolderUnreadable(path, "reading it is not permitted")
  return new FolderUnreadable(path, String(message ?? cause))
}

const attempt = <A>(path: string, read: () => A): A => {
  try {
    return read()
  } catch (cause) {
    throw readingFailure(path, cause)
  }
}

/**
 * Hidden names are left out. Links are followed, except into a folder that is being walked already. One call
 * for each folder and one for each file. Throws `FolderUnreadable`, also where a folder holds no file: a
 * digest of files would not tell that it is there.
 */
export const walkFolder = (root: string, visit: Visit): void => {
  let numFound = 0
  const found: Visit = (path, stats) => {
    numFound++
    visit(path, stats)
  }
  const walk = (folder: string, prefix: string, above: ReadonlyArray<string>): void => {
    const numBefore = numFound
    for (const entry of attempt(folder, () => readdirSync(folder, { withFileTypes: true }))) {
      const { name } = entry
      if (name.startsWith(".")) continue
      const path = `${folder}/${name}`
      if (entry.isFile()) {
        found(
          prefix + name,
          attempt(path, () => lstatSync(path))
        )
        continue
      }
      const stats = entry.isSymbolicLink() ? attempt(path, () => statSync(path)) : undefined
      if (stats?.isFile() === true) found(prefix + name, stats)
      if (entry.isDirectory()) walk(path, `${prefix}${name}/`, above)
      if (stats?.isDirectory() === true) walk(path, `${prefix}${name}/`, [...above, linkTarget(path, above)])
    }
    if (numFound === numBefore) throw new FolderUnreadable(folder, "it holds no file: fill or remove it")
  }
  walk(root, "", [attempt(root, () => realpathSync(root))])
}

/** The folder that a link leads to, unless it is one of those above the link. */
const linkTarget = (link: string, above: ReadonlyArray<string>): string => {
  const target = attempt(link, () => realpathSync(link))
  const place = attempt(link, () => realpathSync(link.slice(0, link.lastIndexOf("/"))))
  if ([place, ...above].some((folder) => folder === target || folder.startsWith(`${target}/`))) {
    throw new FolderUnreadable(link, "it is a link to a folder above it")
  }
  return target
}
