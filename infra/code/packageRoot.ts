/**
 * Where this package lies, run from source or from `dist/`, in its own checkout or under someone's
 * `node_modules`.
 */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const nameOf = (folder: string): string | undefined => {
  const file = join(folder, "package.json")
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { name?: string }).name : undefined
}

/** The folder of the nearest package called "distillery" above a module (`import.meta.url`). */
export const packageRootOf = (moduleUrl: string): string => {
  let folder = dirname(fileURLToPath(moduleUrl))
  while (nameOf(folder) !== "distillery") {
    const above = dirname(folder)
    if (above === folder) throw new Error(`No package "distillery" stands above ${moduleUrl}.`)
    folder = above
  }
  return folder
}
