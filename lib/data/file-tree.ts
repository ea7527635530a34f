/**
 * A folder or an archive of files, read one by one: what a dataset uses of it is what it is known by, however
 * it is packed and whatever else lies there.
 */
import { Effect } from "effect"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { FolderChanged } from "./DatasetInvalid.ts"
import { digestOfDigested } from "./files-digest.ts"
import { type SourceArchive, type SourceError, SourceFiles } from "./SourceFiles.ts"

export type FileTree = { readonly digest: Digest | null } & (
  | { readonly _tag: "Folder"; readonly path: string }
  | ({ readonly _tag: "Archive" } & SourceArchive)
)

interface TreeFile {
  readonly digest: (bytes: Uint8Array) => Digest
  readonly bytes: Effect.Effect<Uint8Array, SourceError>
}

/**
 * The files of a tree by path; contents are read when they are asked for. A folder that the pipeline says
 * nothing of is the one the run was planned with.
 */
export const openTree = Effect.fnUntraced(function* (tree: FileTree, planned: Digest | undefined) {
  const sources = yield* SourceFiles
  if (tree._tag === "Archive") {
    const hasher = yield* Hasher
    const files = yield* sources.archive(tree)
    return new Map(
      [...files].map(([path, bytes]): [string, TreeFile] => [
        path,
        { digest: hasher.digest, bytes: Effect.succeed(bytes) }
      ])
    )
  }
  const { digest, files } = yield* sources.folder(tree.path)
  if (tree.digest === null && digest !== planned) {
    return yield* new FolderChanged({ path: tree.path, expected: planned ?? null, by: "plan", found: digest })
  }
  return new Map(
    files.map(({ bytes, digest, path }): [string, TreeFile] => [path, { digest: () => digest, bytes }])
  )
})

/** Reads files of a tree and remembers which, so that what was used has a digest. */
export class UsedFiles {
  readonly name: string
  private readonly files: ReadonlyMap<string, TreeFile>
  private readonly used = new Map<string, Digest>()
  private readonly tree: FileTree

  constructor(tree: FileTree, files: ReadonlyMap<string, TreeFile>) {
    this.tree = tree
    this.name = tree._tag === "Folder" ? tree.path : tree.name
    this.files = files
  }

  /** The first of these paths that there is; the first of all where there is none. */
  firstOf(paths: ReadonlyArray<string>): string {
    return paths.find((path) => this.files.has(path)) ?? paths[0]!
  }

  /** `undefined` where there is no such file. */
  read(path: string): Effect.Effect<Uint8Array | undefined, SourceError> {
    const file = this.files.get(path)
    if (file === undefined) return Effect.succeed(undefined)
    return Effect.tap(file.bytes, (bytes) => Effect.sync(() => this.used.set(path, file.digest(bytes))))
  }

  /** When all are read: fails with `FolderChanged` where they are not those that the pipeline names. */
  checked(hasher: Hasher["Service"]): Effect.Effect<void, FolderChanged> {
    return Effect.suspend(() => {
      const { tree } = this
      const used = [...this.used].map(([path, digest]) => ({ path, digest }))
      const found = digestOfDigested(hasher, used)
      if (found === tree.digest || (tree._tag === "Folder" && tree.digest === null)) return Effect.void
      return new FolderChanged({ path: this.name, expected: tree.digest, by: "pipeline", found })
    })
  }
}
