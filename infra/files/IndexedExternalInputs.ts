/**
 * `ExternalInputs` by an index of each folder and file beside the project's other state:
 *
 *     <folder>/<hash of the place>.index   what was read there last
 *     <folder>/contents/<digest>.index     the same under the digest of the content: what a change is told by
 *
 * All of it can be removed at any time, and is made again by reading everything once. Where it cannot be
 * written, everything is read each time.
 */
import { existsSync, linkSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs"
import { join, resolve } from "node:path"
import { Effect, Layer } from "effect"
import { type Digest, hexOf } from "../../lib/storage/Digest.ts"
import {
  type External,
  ExternalInputs,
  type FileChanges,
  type Unreadable
} from "../../lib/workflow/ExternalInputs.ts"
import { digestOf } from "../hashing.ts"
import { digestIndexedFile, readIndexedFolder } from "./indexedFiles.ts"
import { StatIndex } from "./StatIndex.ts"
import { readingFailure } from "./walkFolder.ts"

export interface IndexOptions {
  /** Where relative paths start. */
  readonly projectDir: string
  /** Where the indices are kept; without it they are not. */
  readonly folder: string | undefined
}

const indexFileOf = (folder: string, root: string): string =>
  join(folder, `${hexOf(digestOf(root)).slice(0, 32)}.index`)

/** What is known of what lies at this absolute path. */
export const loadIndex = ({ folder }: IndexOptions, root: string): StatIndex =>
  folder === undefined ? StatIndex.empty() : StatIndex.load(indexFileOf(folder, root))

/** Contents that a later change can be told from; more than anybody asks for. */
const numContentsKept = 16

const contentFile = (folder: string, digest: Digest): string =>
  join(folder, "contents", `${hexOf(digest)}.index`)

/** Keeps the index as that of this content as well, and the latest others. */
const keepContent = (folder: string, root: string, digest: Digest): void => {
  const file = contentFile(folder, digest)
  if (existsSync(file)) return
  const contents = join(folder, "contents")
  mkdirSync(contents, { recursive: true })
  linkSync(indexFileOf(folder, root), file)
  const byAge = readdirSync(contents)
    .map((name) => ({ path: join(contents, name), writtenAt: statSync(join(contents, name)).mtimeMs }))
    .sort((a, b) => b.writtenAt - a.writtenAt)
  for (const { path } of byAge.slice(numContentsKept)) rmSync(path, { force: true })
}

const read = async (
  options: IndexOptions,
  { kind, path }: Pick<External, "kind" | "path">
): Promise<Digest> => {
  const root = resolve(options.projectDir, path)
  const index = loadIndex(options, root)
  const digest =
    kind === "folder" ? (await readIndexedFolder(index, root)).digest : await digestIndexedFile(index, root)
  const { folder } = options
  if (folder === undefined) return digest
  try {
    index.save(indexFileOf(folder, root))
    if (kind === "folder") keepContent(folder, root, digest)
  } catch {
    // Whoever may not write here, or lost a race for it, reads everything next time.
  }
  return digest
}

const filesOf = (folder: string, digest: Digest): ReadonlyMap<string, Digest> => {
  const files = StatIndex.load(contentFile(folder, digest)).files()
  return new Map([...files].map((file) => [file.path, file.digest]))
}

const changes = (folder: string | undefined, before: Digest, after: Digest): FileChanges | undefined => {
  if (folder === undefined) return undefined
  const [old, now] = [filesOf(folder, before), filesOf(folder, after)]
  // A folder holds one file at least, so an empty index is an absent one.
  if (old.size === 0 || now.size === 0) return undefined
  return {
    added: [...now.keys()].filter((path) => !old.has(path)).sort(),
    removed: [...old.keys()].filter((path) => !now.has(path)).sort(),
    edited: [...now]
      .flatMap(([path, digest]) => (old.has(path) && old.get(path) !== digest ? [path] : []))
      .sort()
  }
}

export const indexedExternalInputsLayer = (options: IndexOptions): Layer.Layer<ExternalInputs> =>
  Layer.succeed(ExternalInputs, {
    digest: (external) =>
      Effect.tryPromise({
        try: () => read(options, external),
        catch: (cause): Unreadable => {
          const { path, reason } = readingFailure(external.path, cause)
          return { path, reason }
        }
      }),
    changes: (before, after) => Effect.sync(() => changes(options.folder, before, after))
  })
