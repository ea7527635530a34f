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
import { FolderUnreadable, type FoundFile, readingFailure, walkFolder } from "./walkFolder.ts"

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

/** In the order found. The index then holds exactly these files. */
const digested = async (
  index: StatIndex,
  root: string,
  walk: () => ReadonlyArray<FoundFile>
): Promise<ReadonlyArray<IndexedFile>> => {
  const takenAtMillis = Date.now()
  const found = walk()
  const files: Array<IndexedFile> = []
  let turnedAt = takenAtMillis
  for (const { path, stats } of found) {
    const known = index.find(path, stats)
    const digest = known ?? (await hashFile(`${root}/${path}`, stats.size))
    if (known === undefined) index.record(path, stats, digest, takenAtMillis)
    files.push({ path, digest, sizeBytes: stats.size })
    if (known === undefined && Date.now() - turnedAt > turnMillis) {
      await turn()
      turnedAt = Date.now()
    }
  }
  if (index.size !== files.length) index.keepOnly(new Set(files.map(({ path }) => path)))
  return files
}

/** Rejects with `FolderUnreadable`. The digest is over names and contents, not over the place. */
export const readIndexedFolder = async (
  index: StatIndex,
  root: string
): Promise<{ readonly digest: Digest; readonly files: ReadonlyArray<IndexedFile> }> => {
  const files = await digested(index, root, () => walkFolder(root))
  return { digest: digestOfDigested({ digest: digestOf }, files), files }
}

const fileStats = (file: string): Stats => {
  try {
    return statSync(file)
  } catch (cause) {
    throw readingFailure(file, cause)
  }
}

/** Rejects with `FolderUnreadable`. The digest is that of the bytes, whatever the file's name. */
export const digestIndexedFile = async (index: StatIndex, file: string): Promise<Digest> => {
  const stats = fileStats(file)
  if (!stats.isFile()) throw new FolderUnreadable(file, "it is no file")
  const [only] = await digested(index, dirname(file), () => [{ path: basename(file), stats }])
  return only!.digest
}
