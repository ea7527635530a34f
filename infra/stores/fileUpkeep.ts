/** Moving and clearing away the files of a store. */
import { readdir, rename, rm, stat, utimes } from "node:fs/promises"
import { dirname, join } from "node:path"
import { withLockFile } from "./atomicFiles.ts"
import { makeFolder } from "./makeFolder.ts"

export interface FileMove {
  readonly source: string
  readonly target: string
  /** Asked while nobody else replaces the source. */
  readonly isWanted: () => boolean
}

/** Whether it was moved; it is young then. */
export const moveFile = (lockFile: string, { isWanted, source, target }: FileMove): Promise<boolean> =>
  withLockFile(lockFile, async () => {
    if (!isWanted()) return false
    await makeFolder(dirname(target))
    const now = new Date()
    await utimes(source, now, now)
    await rename(source, target)
    return true
  })

/** Removes the files of a folder that were written last before a time; gives how many. */
export const removeOlder = async (folder: string, beforeMillis: number): Promise<number> => {
  let numRemoved = 0
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const stats = await stat(path).catch(() => undefined)
    if (stats === undefined || stats.mtimeMs >= beforeMillis) continue
    await rm(path, { force: true })
    numRemoved += 1
  }
  return numRemoved
}
