/** A folder and the ones above it, made where they are missing. */
import { mkdir } from "node:fs/promises"
import { dirname } from "node:path"

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code

/**
 * Rejects with the system's error where a folder cannot be made. Not Node's own `recursive`: that never
 * returns where the system answers ENOENT for good, as below `/proc`.
 */
export const makeFolder = async (folder: string): Promise<void> => {
  const make = () =>
    mkdir(folder).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error
    })
  await make().catch(async (error: unknown) => {
    if (codeOf(error) !== "ENOENT" || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder))
    await make()
  })
}
