/** Room for more in the file system that holds a store. */
import { statfs } from "node:fs/promises"
import { dirname } from "node:path"
import { Effect } from "effect"

const freeIn = async (folder: string): Promise<number | undefined> => {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch {
    // A store that is not made yet will lie in the nearest folder that there is.
    const parent = dirname(folder)
    return parent === folder ? undefined : freeIn(parent)
  }
}

/** In bytes, as an ordinary user may use them; `undefined` where the system does not say. */
export const freeBytes = (folder: string): Effect.Effect<number | undefined> =>
  Effect.promise(() => freeIn(folder))
