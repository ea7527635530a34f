/**
 * Whole-file writes that a crash cannot tear, and a lock per name that outlives no process.
 *
 * What takes microseconds is done at once: a round through libuv's threads costs several times as much, and
 * a job of a pipeline has some thirty such calls. What may take milliseconds (syncing, writing much) is
 * waited for.
 */
import { randomBytes } from "node:crypto"
import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  linkSync,
  openSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeFileSync
} from "node:fs"
import { copyFile, type FileHandle, open, readFile, stat } from "node:fs/promises"
import { hostname } from "node:os"
import { dirname } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { promisify } from "node:util"
import { writtenBeside } from "../hashThread.ts"
import { processExists } from "../processExists.ts"
import { makeFolder } from "./makeFolder.ts"

export const errorCode = (error: unknown): string =>
  String((error as { readonly code?: unknown } | undefined)?.code ?? "unknown")

const sync = promisify(fsync)

/** Absence is what is wanted. */
const remove = (file: string): void => {
  try {
    unlinkSync(file)
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error
  }
}

/** Whole bytes, bytes as they come, or a file to copy and what to ask when it is copied. */
export type Content =
  | Uint8Array
  | AsyncIterable<Uint8Array>
  | { readonly copyOf: string; readonly copied: () => Promise<void> }

/** For larger ones Linux takes large pieces of memory, mostly unused; smaller ones are too many. */
const writeBytesMax = 256 * 1024

const writeWhole = async (file: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.length; ) {
    const length = Math.min(writeBytesMax, bytes.length - at)
    at += (await file.write(bytes, at, length)).bytesWritten
  }
}

/** Such chunks are worth a thread. */
const isLarge = ({ length }: Uint8Array): boolean => length >= 2 ** 20

/** While one chunk is written, which another thread does, the next one is made. */
const writeChunks = async (file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> => {
  let writing = Promise.resolve()
  try {
    for await (const chunk of chunks) {
      await writing
      writing = (isLarge(chunk) && writtenBeside(file.fd, chunk)) || writeWhole(file, chunk)
      // Told by whoever waits for it.
      writing.catch(() => undefined)
    }
  } finally {
    await writing
  }
}

const fill = async (file: FileHandle, temporary: string, content: Content): Promise<void> => {
  if ("copyOf" in content) {
    // By the system itself: the bytes need not come into this process.
    await copyFile(content.copyOf, temporary, constants.COPYFILE_FICLONE)
    await file.chmod(0o644)
    await content.copied()
  } else if (content instanceof Uint8Array) await writeWhole(file, content)
  else await writeChunks(file, content)
}

const smallBytesMax = 65_536

const isSmall = (content: Content): content is Uint8Array =>
  content instanceof Uint8Array && content.length <= smallBytesMax

const writeSmall = async (file: string, bytes: Uint8Array, wanted: AtomicWrite): Promise<Stats> => {
  const descriptor = openSync(file, "wx", wanted.mode)
  try {
    writeFileSync(descriptor, bytes)
    if (!wanted.isVolatile) await sync(descriptor)
    return fstatSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const writeLarge = async (file: string, wanted: AtomicWrite): Promise<Stats> => {
  const handle = await open(file, "wx", wanted.mode)
  try {
    await fill(handle, file, wanted.bytes)
    if (!wanted.isVolatile) await handle.sync()
    return await handle.stat()
  } finally {
    await handle.close()
  }
}

interface Temporary {
  readonly file: string
  readonly stats: Stats
}

/** Writes and syncs under a name that nobody reads, for `writeAtomically` to move. */
const writeTemporary = async (wanted: AtomicWrite): Promise<Temporary> => {
  const { bytes, temporaryFolder } = wanted
  const file = `${temporaryFolder}/${process.pid}-${randomBytes(8).toString("hex")}`
  try {
    const stats = isSmall(bytes) ? await writeSmall(file, bytes, wanted) : await writeLarge(file, wanted)
    return { file, stats }
  } catch (error) {
    remove(file)
    throw error
  }
}

const syncFolder = async (folder: string): Promise<void> => {
  const descriptor = openSync(folder, "r")
  try {
    await sync(descriptor)
  } finally {
    closeSync(descriptor)
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
  makeLink: (from: string, to: string) => void | Promise<void> = linkSync
): Promise<void> => {
  try {
    await makeLink(temporary, target)
  } catch (error) {
    if (!linkless.includes(errorCode(error))) throw error
    await withLockFile(lockFile, async () => {
      const present = await stat(target).catch(() => undefined)
      if (present !== undefined) throw Object.assign(new Error(`${target} exists`), { code: "EEXIST" })
      renameSync(temporary, target)
    })
  }
}

const move = async (file: string, { onlyIfAbsent, target }: AtomicWrite): Promise<void> => {
  if (onlyIfAbsent) await moveIfAbsent(file, target, onlyIfAbsent.lockFile)
  else renameSync(file, target)
}

/** The folder is there nearly always, and made where it is not. */
const within = <A>(folder: string, act: () => Promise<A>): Promise<A> =>
  act().catch(async (error: unknown) => {
    if (errorCode(error) !== "ENOENT") throw error
    await makeFolder(folder)
    return act()
  })

/**
 * Readers see the old file or the new one; after return it survives a power cut.
 * Resolves to the written file's inode, size and times, `undefined` where `lastCheck` gave it up.
 */
export const writeAtomically = async (wanted: AtomicWrite): Promise<Stats | undefined> => {
  const { isVolatile, lastCheck, onlyIfAbsent, target, temporaryFolder } = wanted
  const { file, stats } = await within(temporaryFolder, () => writeTemporary(wanted))
  let isMoved = false
  try {
    if (lastCheck !== undefined && !(await lastCheck())) return undefined
    await within(dirname(target), () => move(file, wanted))
    isMoved = !onlyIfAbsent
    if (!isVolatile) await syncFolder(dirname(target))
    return stats
  } finally {
    if (!isMoved) remove(file)
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
    if (host === hostname() && pid !== undefined && !processExists(Number(pid))) return true
    return ageMillis > lockAgeMaxMillis
  } catch {
    return false
  }
}

/** Creates `file` unless it exists. */
const createExclusively = (file: string): boolean => {
  try {
    writeFileSync(file, `${hostname()} ${process.pid}`, { flag: "wx" })
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
  if (!createExclusively(guard)) {
    if (await isStale(guard)) await removeStale(guard)
    return
  }
  try {
    if (await isStale(lockFile)) remove(lockFile)
  } finally {
    remove(guard)
  }
}

/** Runs `action` while holding `lockFile`; waits for other holders in this and other processes. */
export const withLockFile = async <A>(lockFile: string, action: () => Promise<A>): Promise<A> => {
  while (!createExclusively(lockFile)) {
    if (await isStale(lockFile)) await removeStale(lockFile)
    else await delay(1 + Math.random() * 5)
  }
  try {
    return await action()
  } finally {
    remove(lockFile)
  }
}
