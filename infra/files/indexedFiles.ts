/**
 * The digest of a folder or a file of the user's own, by an index of what was read before: where nothing
 * changed, no file is opened. Afterwards the index holds exactly the files there are; the caller saves it.
 */
import { type Stats, statSync } from "node:fs"
import { basename, dirname } from "node:path"
import { setImmediate as turn } from "node:timers/promises"
import { type DigestedFile, digestOfDigested } from "../../lib/data/files-digest.ts"
import type { Digest } from "../../lib/storage/Digest.ts"
import { digestOf } from "../hashing.ts"
import { hashLargeFile, hashSmallFile, smallFileBytesMax } from "./hashFile.ts"
import type { StatIndex } from "./StatIndex.ts"
import { FolderUnreadable, readingFailure, walkFolder } from "./walkFolder.ts"

/** Work between two looks at what else there is to do: signals above all. */
const turnMillis = 50

const hashFile = async (file: string, sizeBytes: number): Promise<Digest> => {
  try {
    const digest = sizeBytes <= smallFileBytesMax ? hashSmallFile(file) : undefined
    return digest ?? (await hashLargeFile(file))
  } catch (cause) {
    throw readingFailure(file, cause)
  }
}

export interface IndexedFile extends DigestedFile {
  readonly sizeBytes: number
}

export interface IndexedFolder {
  /** Over names and contents, not over the place. */
  readonly digest: Digest
  readonly files: () => ReadonlyArray<IndexedFile>
}

interface Unread {
  readonly path: string
  readonly stats: Stats
}

/** Reads and records what looks new. */
const hashUnread = async (
  index: StatIndex,
  root: string,
  unread: ReadonlyArray<Unread>,
  takenAtMillis: number
): Promise<void> => {
  let turnedAt = takenAtMillis
  for (const { path, stats } of unread) {
    index.record(path, stats, await hashFile(`${root}/${path}`, stats.size), takenAtMillis)
    if (Date.now() - turnedAt > turnMillis) {
      await turn()
      turnedAt = Date.now()
    }
  }
}

/** Rejects with `FolderUnreadable`. Afterwards the index holds exactly the files there are. */
export const readIndexedFolder = async (index: StatIndex, root: string): Promise<IndexedFolder> => {
  const takenAtMillis = Date.now()
  const paths: Array<string> = []
  const sizes: Array<number> = []
  const unread: Array<Unread> = []
  walkFolder(root, (path, stats) => {
    paths.push(path)
    sizes.push(stats.size)
    if (!index.matches(path, stats)) unread.push({ path, stats })
  })
  await hashUnread(index, root, unread, takenAtMillis)
  if (index.size !== paths.length) index.keepOnly(new Set(paths))
  const files = () =>
    paths.map((path, at): IndexedFile => ({ path, sizeBytes: sizes[at]!, digest: index.digestOf(path)! }))
  const digest = index.wholeDigest ?? digestOfDigested({ digest: digestOf }, files())
  index.rememberWhole(digest)
  return { digest, files }
}

/** Rejects with `FolderUnreadable`. The digest is that of the bytes, whatever the file's name. */
export const digestIndexedFile = async (index: StatIndex, file: string): Promise<Digest> => {
  const takenAtMillis = Date.now()
  const path = basename(file)
  const stats = fileStats(file)
  if (!stats.isFile()) throw new FolderUnreadable(file, "it is no file")
  if (!index.matches(path, stats)) await hashUnread(index, dirname(file), [{ path, stats }], takenAtMillis)
  return index.digestOf(path)!
}

const fileStats = (file: string): Stats => {
  try {
    return statSync(file)
  } catch (cause) {
    throw readingFailure(file, cause)
  }
}
