/** Folders of the user's own: their visible files, each read only as what the folder's digest says it is. */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs"
import { resolve } from "node:path"
import { Effect } from "effect"
import { type Folder, type FolderFile, SourceChanged, SourceUnreadable } from "../../lib/data/SourceFiles.ts"
import { type IndexOptions, loadIndex } from "../files/IndexedExternalInputs.ts"
import { type IndexedFile, readIndexedFolder } from "../files/indexedFiles.ts"
import type { StatIndex } from "../files/StatIndex.ts"
import { readingFailure } from "../files/walkFolder.ts"
import { digestOf } from "../hashing.ts"

const unreadable = (path: string, cause: unknown): SourceUnreadable => {
  const failure = readingFailure(path, cause)
  return new SourceUnreadable({ path: failure.path, reason: failure.reason })
}

/**
 * What the file holds, if it is what the index says. Whoever writes to a file changes its stamp, so one that
 * still has it after the reading was not written to before; where the index trusts no stamp, the content is
 * hashed.
 */
const readVerified = (index: StatIndex, file: string, { digest, path }: IndexedFile): Uint8Array => {
  const descriptor = openSync(file, "r")
  try {
    const bytes = readFileSync(descriptor)
    const known = index.find(path, fstatSync(descriptor)) ?? digestOf(bytes)
    if (known !== digest) throw new SourceChanged({ path: file })
    return bytes
  } finally {
    closeSync(descriptor)
  }
}

const fileOf = (index: StatIndex, root: string, found: IndexedFile): FolderFile => {
  const file = `${root}/${found.path}`
  return {
    path: found.path,
    sizeBytes: found.sizeBytes,
    digest: found.digest,
    bytes: Effect.try({
      try: () => readVerified(index, file, found),
      catch: (cause) => (cause instanceof SourceChanged ? cause : unreadable(file, cause))
    })
  }
}

const byCodeUnit = (a: IndexedFile, b: IndexedFile): number =>
  a.path < b.path ? -1 : a.path > b.path ? 1 : 0

/** What the plan read of the folder is not read again: the files are known by the index it left. */
export const readFolder = Effect.fn("readFolder")(function* (
  options: IndexOptions,
  path: string
): Effect.fn.Return<Folder, SourceUnreadable> {
  const root = resolve(options.projectDir, path)
  const index = loadIndex(options, root)
  const { digest, files } = yield* Effect.tryPromise({
    try: () => readIndexedFolder(index, root),
    catch: (cause) => unreadable(path, cause)
  })
  return { digest, files: [...files()].sort(byCodeUnit).map((found) => fileOf(index, root, found)) }
})
