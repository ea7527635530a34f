/** What tells whether a file was changed: by its content where it is small, by its inode and times. */
import { readFileSync, type Stats, statSync } from "node:fs"
import { open, readFile } from "node:fs/promises"
import { type ObjectInfo, type ObjectStamp, ObjectTooLarge } from "../../lib/storage/ObjectStore.ts"
import { digestOf } from "../hashing.ts"
import { sharedRoom } from "../hashThread.ts"
import { errorCode } from "./atomicFiles.ts"

/** The codes with which a system says that there is no such file. */
export const isAbsence = (error: unknown): boolean =>
  ["ENOENT", "ENOTDIR", "EISDIR"].includes(errorCode(error))

/** Larger objects are told apart by inode and times; reading them for a version would cost too much. */
const hashedVersionBytesMax = 65_536

const versionOf = (stats: Stats, content: Uint8Array | undefined): string =>
  content === undefined || stats.size > hashedVersionBytesMax
    ? `${stats.ino}-${stats.size}-${stats.mtimeMs}`
    : digestOf(content)

/** `content` may be absent where it is large. */
export const infoFrom = (key: string, stats: Stats, content: Uint8Array | undefined): ObjectInfo => ({
  key,
  sizeBytes: stats.size,
  version: versionOf(stats, content),
  modifiedAtMillis: stats.mtimeMs
})

const presentStats = (path: string): Stats | undefined => {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats?.isFile() ? stats : undefined
}

const absence = (path: string) => Object.assign(new Error(`there is no file ${path}`), { code: "ENOENT" })

/** Under which key a file is read, and how much of it may be. */
export interface ReadLimit {
  readonly key: string
  readonly sizeBytesMax: number
}

/**
 * Small files are read at once: a round through libuv's threads costs several times as much. Throws
 * `ObjectTooLarge`, before reading, for what is larger than the limit.
 */
export const readWhole = async (path: string, limit?: ReadLimit): Promise<Uint8Array> => {
  const stats = presentStats(path)
  if (stats === undefined) throw absence(path)
  if (limit !== undefined && stats.size > limit.sizeBytesMax) {
    throw new ObjectTooLarge({ ...limit, sizeBytes: stats.size })
  }
  return new Uint8Array(stats.size <= hashedVersionBytesMax ? readFileSync(path) : await readFile(path))
}

const chunkBytes = 2 ** 20

export interface FileChunks {
  readonly sizeBytes: number
  readonly chunks: () => AsyncGenerator<Uint8Array>
}

/** The file that stands there now, chunk by chunk; throws where another stands there when they are read. */
export const chunksOf = (path: string): FileChunks => {
  const seen = presentStats(path)
  if (seen === undefined) throw absence(path)
  return {
    sizeBytes: seen.size,
    chunks: async function* () {
      const handle = await open(path, "r")
      try {
        const { ino, mtimeMs, size } = await handle.stat()
        if (ino !== seen.ino || mtimeMs !== seen.mtimeMs || size !== seen.size) {
          throw new Error("it was replaced while it was read")
        }
        const rooms = [sharedRoom(chunkBytes), sharedRoom(chunkBytes)]
        for (let nth = 0; ; nth++) {
          const room = rooms[nth % rooms.length]!
          const { bytesRead } = await handle.read(room)
          if (bytesRead === 0) return
          yield room.subarray(0, bytesRead)
        }
      } finally {
        await handle.close()
      }
    }
  }
}

/** `undefined` also where it is removed in between. */
const infoIfPresent = (path: string, key: string): ObjectInfo | undefined => {
  const stats = presentStats(path)
  if (stats === undefined || stats.size > hashedVersionBytesMax)
    return stats && infoFrom(key, stats, undefined)
  try {
    return infoFrom(key, stats, readFileSync(path))
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw error
  }
}

export const infoOf = (path: string, key: string): ObjectInfo => {
  const info = infoIfPresent(path, key)
  if (info === undefined) throw absence(path)
  return info
}

export const presentVersion = (path: string, key: string): string | undefined =>
  infoIfPresent(path, key)?.version

/** Some file systems keep times in whole seconds, FAT in two. */
const coarseClockMillis = 2_100

/** Too young to tell from a file that is written again within the same tick of such a clock. */
const isYoung = ({ ctimeMs, mtimeMs }: Stats): boolean =>
  Number.isInteger(ctimeMs / 1000) && Date.now() - Math.max(ctimeMs, mtimeMs) < coarseClockMillis

/**
 * Synchronous: for many files that is several times cheaper, and a file system answers such questions from
 * memory.
 */
export const stampOf = (path: string): ObjectStamp | undefined => {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined || !stats.isFile()) return undefined
  const stamp = isYoung(stats) ? undefined : `${stats.ino}-${stats.size}-${stats.mtimeMs}-${stats.ctimeMs}`
  return { sizeBytes: stats.size, stamp }
}
