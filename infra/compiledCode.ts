/** Compiled code of our modules, kept in the user's cache: it takes a third off every start. */
import { mkdirSync } from "node:fs"
import * as nodeModule from "node:module"
import { dirname, join } from "node:path"
import { cacheFolder } from "./userFolders.ts"

/**
 * Whether the folder is there afterwards. Not Node's own `recursive`, which never returns where the system
 * answers ENOENT for good, as below `/proc`.
 */
const made = (folder: string): boolean => {
  const make = (): string | undefined => {
    try {
      mkdirSync(folder)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code
    }
  }
  const code = make()
  if (code === undefined || code === "EEXIST") return true
  return code === "ENOENT" && dirname(folder) !== folder && made(dirname(folder)) && make() === undefined
}

/** Where it cannot be kept, Node goes on without. */
export const keepCompiledCode = (environment: Readonly<Record<string, string | undefined>>): void => {
  const folder = join(cacheFolder(environment), "compiled")
  if (made(folder)) nodeModule.enableCompileCache(folder)
}
