/** A folder and the ones above it, made where they are missing. */
import { mkdirSync } from "node:fs"
import { dirname } from "node:path"

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code

const makeOne = (folder: string): void => {
  try {
    mkdirSync(folder)
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error
  }
}

/**
 * Rejects with the system's error where a folder cannot be made. Not Node's own `recursive`: that never
 * returns where the system answers ENOENT for good, as below `/proc`.
 */
export const makeFolder = async (folder: string): Promise<void> => {
  try {
    makeOne(folder)
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    makeOne(folder)
  }
}
