/** Folders of the user's own: their visible files in a stable order. */
import { readdir, readFile, realpath, stat } from "node:fs/promises"
import { join } from "node:path"
import { Effect, Stream } from "effect"
import { digestOfDigested } from "../../lib/data/files-digest.ts"
import { type FolderEntry, SourceUnreadable } from "../../lib/data/SourceFiles.ts"
import type { Digest, Hasher } from "../../lib/storage/Digest.ts"
import { causeText, codeOf } from "./LocationFailed.ts"

const unreadable = (path: string, cause: unknown) => {
  const code = codeOf(cause)
  const reason =
    code === "ENOENT" ? "it does not exist" : code === "ENOTDIR" ? "it is no folder" : causeText(cause)
  return new SourceUnreadable({ path, reason })
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Paths of the files below a folder. Links are followed, except into a folder that is being walked already.
 */
const walk = Effect.fnUntraced(function* (
  folder: string,
  prefix: string,
  above: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<string>, SourceUnreadable> {
  const attempt = <A>(path: string, run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (cause) => unreadable(path, cause) })
  const real = yield* attempt(folder, () => realpath(folder))
  if (above.includes(real)) {
    return yield* new SourceUnreadable({ path: folder, reason: "it is a link to a folder above it" })
  }
  const names = yield* attempt(folder, () => readdir(folder))
  const paths: Array<string> = []
  for (const name of names.filter((name) => !name.startsWith("."))) {
    const path = join(folder, name)
    const info = yield* attempt(path, () => stat(path))
    if (info.isFile()) paths.push(prefix + name)
    if (info.isDirectory()) paths.push(...(yield* walk(path, `${prefix}${name}/`, [...above, real])))
  }
  if (paths.length === 0) {
    return yield* new SourceUnreadable({ path: folder, reason: "it holds no file: fill or remove it" })
  }
  return paths
})

const entryOf = (folder: string, path: string): FolderEntry => {
  const file = join(folder, path)
  return {
    path,
    bytes: Effect.tryPromise({ try: () => readFile(file), catch: (cause) => unreadable(file, cause) })
  }
}

export const readFolder = (folder: string): Stream.Stream<FolderEntry, SourceUnreadable> =>
  walk(folder, "", []).pipe(
    Effect.map((paths) =>
      Stream.fromIterable([...paths].sort(byCodeUnit).map((path) => entryOf(folder, path)))
    ),
    Stream.unwrap
  )

/** The digest of the folder's files; their contents are held one at a time. */
export const digestFolder = Effect.fn("digestFolder")(function* (
  folder: string,
  hasher: Hasher["Service"]
): Effect.fn.Return<Digest, SourceUnreadable> {
  const files = yield* readFolder(folder).pipe(
    Stream.mapEffect(({ path, bytes }) =>
      Effect.map(bytes, (content) => ({ path, digest: hasher.digest(content) }))
    ),
    Stream.runCollect
  )
  return digestOfDigested(hasher, files)
})
