/** Folders of the user's own: their visible files, each read only as what the folder's digest says it is. */
import { createHash } from "node:crypto"
import { closeSync, fstatSync, openSync, readFileSync, statSync } from "node:fs"
import { open } from "node:fs/promises"
import { resolve } from "node:path"
import { Effect, Stream } from "effect"
import { type Folder, type FolderFile, SourceChanged, SourceUnreadable } from "../../lib/data/SourceFiles.ts"
import { type Digest, hexOf } from "../../lib/storage/Digest.ts"
import { type IndexOptions, loadIndex } from "../files/IndexedExternalInputs.ts"
import { type IndexedFile, readIndexedFolder } from "../files/indexedFiles.ts"
import type { StatIndex } from "../files/StatIndex.ts"
import { readingFailure } from "../files/walkFolder.ts"
import { digestOf } from "../hashing.ts"

export const unreadable = (path: string, cause: unknown): SourceUnreadable => {
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

const chunkBytes = 2 ** 20

async function* verifiedChunks(file: string, digest: Digest): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256")
  const handle = await open(file, "r")
  try {
    for (;;) {
      const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(chunkBytes))
      if (bytesRead === 0) break
      const chunk = buffer.subarray(0, bytesRead)
      hash.update(chunk)
      yield chunk
    }
  } finally {
    await handle.close()
  }
  if (hash.digest("hex") !== hexOf(digest)) throw new SourceChanged({ path: file })
}

const fileOf = (index: StatIndex, root: string, found: IndexedFile): FolderFile => {
  const { digest, path, sizeBytes } = found
  const file = `${root}/${path}`
  const failure = (cause: unknown) => (cause instanceof SourceChanged ? cause : unreadable(file, cause))
  const attempt = <A>(run: () => A) => Effect.try({ try: run, catch: failure })
  const unchanged = attempt(() => {
    if (!index.matches(path, statSync(file))) throw new SourceChanged({ path: file })
  })
  return {
    path,
    sizeBytes,
    digest,
    bytes: attempt(() => readVerified(index, file, found)),
    source: {
      sizeBytes,
      chunks: Stream.suspend(() => Stream.fromAsyncIterable(verifiedChunks(file, digest), failure)),
      // Of a file whose stamp says nothing yet the bytes must be seen.
      ...(index.trusts(path) && { file: { path: file, unchanged } })
    }
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
