/** Whole-file writes that a crash cannot tear, and a lock per name that outlives no process. */
import { randomBytes } from "node:crypto"
import { constants, type Stats } from "node:fs"
import { copyFile, type FileHandle, link, open, readFile, rename, rm, stat } from "node:fs/promises"
import { hostname } from "node:os"
import { dirname } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { makeFolder } from "./makeFolder.ts"

export const errorCode = (error: unknown): string =>
  String((error as { readonly code?: unknown } | undefined)?.code ?? "unknown")

/** Whole bytes, bytes as they come, or a file to copy and what to ask when it is copied. */
export type Content =
  | Uint8Array
  | AsyncIterable<Uint8Array>
  | { readonly copyOf: string; readonly copied: () => Promise<void> }

const fill = async (file: FileHandle, temporary: string, content: Content): Promise<void> => {
  if ("copyOf" in content) {
    // By the system itself: the bytes need not come into this process.
    await copyFile(content.copyOf, temporary, constants.COPYFILE_FICLONE)
    await file.chmod(0o644)
    await content.copied()
  } else await file.writeFile(content)
}

/** Writes under a name that nobody reads. */
const writeTemporary = async ({ bytes, isVolatile, mode, temporaryFolder }: AtomicWrite): Promise<string> => {
  const temporary = `${temporaryFolder}/${process.pid}-${randomBytes(8).toString("hex")}`
  const file = await open(temporary, "wx", mode)
  try {
    await fill(file, temporary, bytes)
    if (!isVolatile) await file.sync()
  } catch (error) {
    await file.close()
    await rm(temporary, { force: true })
    throw error
  }
  await file.close()
  return temporary
}

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export interface AtomicWrite {
  /** In the same file system as `target`. */
  readonly temporaryFolder: string
  readonly target: string
  readonly bytes: Content
  /**
   * Fails with EEXIST where the target exists: of many writers exactly one wins. `lockFile` decides between
   * them where the file system knows no hard links; whoever replaces the target holds it, too.
   */
  readonly onlyIfAbsent: false | { readonly lockFile: string }
  /** Permissions of the new file, lessened by the process's umask. */
  readonly mode?: number
  /** A power cut may take it, or leave it empty. */
  readonly isVolatile?: boolean
  /** Asked when the bytes are on disk, right before they are moved; `false` gives the write up. */
  readonly lastCheck?: () => Promise<boolean>
}

/** What systems say where a file system (exFAT, some network shares) has no hard links. */
const linkless = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]

/** Fails with EEXIST where the target exists. A link decides that by itself; without links a lock does. */
export const moveIfAbsent = async (
  temporary: string,
  target: string,
  lockFile: string,
  makeLink: typeof link = link
): Promise<void> => {
  try {
    await makeLink(temporary, target)
  } catch (error) {
    if (!linkless.includes(errorCode(error))) throw error
    await withLockFile(lockFile, async () => {
      const present = await stat(target).catch(() => undefined)
      if (present !== undefined) throw Object.assign(new Error(`${target} exists`), { code: "EEXIST" })
      await rename(temporary, target)
    })
  }
}

/**
 * Readers see the old file or the new one; after return it survives a power cut.
 * Resolves to the written file's inode, size and times, `undefined` where `lastCheck` gave it up.
 */
export const writeAtomically = async (write: AtomicWrite): Promise<Stats | undefined> => {
  await makeFolder(dirname(write.target))
  const temporary = await writeTemporary(write)
  try {
    if (write.lastCheck !== undefined && !(await write.lastCheck())) return undefined
    const stats = await stat(temporary)
    if (write.onlyIfAbsent) await moveIfAbsent(temporary, write.target, write.onlyIfAbsent.lockFile)
    else await rename(temporary, write.target)
    if (!write.isVolatile) await syncFolder(dirname(write.target))
    return stats
  } finally {
    await rm(temporary, { force: true })
  }
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === "EPERM"
  }
}

/**
 * A lock is held for milliseconds; one this old belongs to a process that is gone, frozen, or on a dead
 * machine.
 */
const lockAgeMaxMillis = 60_000

const isStale = async (lockFile: string): Promise<boolean> => {
  try {
    const [host, pid] = (await readFile(lockFile, "utf8")).split(" ")
    const ageMillis = Date.now() - (await stat(lockFile)).mtimeMs
    if (host === hostname() && pid !== undefined && !alive(Number(pid))) return true
    return ageMillis > lockAgeMaxMillis
  } catch {
    return false
  }
}

/** Creates `file` unless it exists. */
const createExclusively = async (file: string): Promise<boolean> => {
  try {
    const handle = await open(file, "wx")
    await handle.writeFile(`${hostname()} ${process.pid}`)
    await handle.close()
    return true
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false
    throw error
  }
}

/**
 * Removes a lock whose owner is gone. Guarded itself, so that nobody removes the lock of the next owner; a
 * guard whose owner is gone, too, is removed in the same way.
 */
const removeStale = async (lockFile: string): Promise<void> => {
  const guard = `${lockFile}.steal`
  if (!(await createExclusively(guard))) {
    if (await isStale(guard)) await removeStale(guard)
    return
  }
  try {
    if (await isStale(lockFile)) await rm(lockFile, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}

/** Runs `action` while holding `lockFile`; waits for other holders in this and other processes. */
export const withLockFile = async <A>(lockFile: string, action: () => Promise<A>): Promise<A> => {
  while (!(await createExclusively(lockFile))) {
    if (await isStale(lockFile)) await removeStale(lockFile)
    else await delay(1 + Math.random() * 5)
  }
  try {
    return await action()
  } finally {
    await rm(lockFile, { force: true })
  }
}
