/**
 * Datasets whose splits are lists of files: Pascal VOC's boxes, masks of class indices. What a list names and
 * cannot be used is set aside with the reason, never passed over in silence.
 */
import { Effect, Result, Stream } from "effect"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { DatasetInvalid, FolderChanged } from "./DatasetInvalid.ts"
import { filesDigest } from "./files-digest.ts"
import { imageKindOf, notAnImage } from "./formats/image-kind.ts"
import { parseVocAnnotation } from "./formats/pascal-voc.ts"
import { parseSplitList } from "./formats/split-list.ts"
import { type SourceArchive, type SourceError, SourceFiles } from "./SourceFiles.ts"
import type { SetAside } from "./set-aside.ts"
import { type BoxedImage, type Example, imageEndings, type MaskedImage, type ShardImage } from "./shards.ts"

export interface ListedDataset {
  readonly name: string
  /** In the order of the lists. */
  readonly splits: Readonly<Record<string, ReadonlyArray<Result.Result<Example, SetAside>>>>
}

type FileTree = { readonly digest: Digest | null } & (
  | { readonly _tag: "Folder"; readonly path: string }
  | ({ readonly _tag: "Archive" } & SourceArchive)
)

interface Lists {
  readonly files: FileTree
  readonly splits: { readonly train: string; readonly test: string; readonly validation?: string }
}

type Bytes = Effect.Effect<Uint8Array, SourceError>

/** The files of a tree by path; contents are read when they are asked for. */
const openTree = Effect.fnUntraced(function* (tree: FileTree) {
  const sources = yield* SourceFiles
  if (tree._tag === "Archive") {
    const files = yield* sources.archive(tree)
    return new Map([...files].map(([path, bytes]): [string, Bytes] => [path, Effect.succeed(bytes)]))
  }
  const entries = yield* Stream.runCollect(sources.folder(tree.path))
  return new Map([...entries].map(({ bytes, path }): [string, Bytes] => [path, bytes]))
})

/** Reads files of a tree and remembers which, so that what was used has a digest. */
class UsedFiles {
  readonly name: string
  private readonly files: ReadonlyMap<string, Bytes>
  private readonly used = new Map<string, Uint8Array>()

  constructor(tree: FileTree, files: ReadonlyMap<string, Bytes>) {
    this.name = tree._tag === "Folder" ? tree.path : tree.name
    this.files = files
  }

  /** The first of these paths that there is; the first of all where there is none. */
  firstOf(paths: ReadonlyArray<string>): string {
    return paths.find((path) => this.files.has(path)) ?? paths[0]!
  }

  /** `undefined` where there is no such file. */
  read(path: string): Effect.Effect<Uint8Array | undefined, SourceError> {
    const bytes = this.files.get(path)
    if (bytes === undefined) return Effect.succeed(undefined)
    return Effect.tap(bytes, (content) => Effect.sync(() => this.used.set(path, content)))
  }

  /** Of all that was read so far. */
  digest(hasher: Hasher["Service"]): Digest {
    return filesDigest(
      hasher,
      [...this.used].map(([path, bytes]) => ({ path, bytes }))
    )
  }
}

type Read<E> = (
  files: UsedFiles,
  fields: ReadonlyArray<string>
) => Effect.Effect<Result.Result<Example, SetAside>, E>

/** Lines of a list that is there and not empty. */
const linesOf = Effect.fnUntraced(function* (files: UsedFiles, split: string, path: string) {
  const list = yield* files.read(path)
  if (list !== undefined) return parseSplitList(new TextDecoder().decode(list))
  const reason = `split "${split}" should be listed in "${path}", which is not there`
  return yield* new DatasetInvalid({ dataset: files.name, reason })
})

/** Every line of every list as an example; fails with `FolderChanged` where the files are not those named. */
const readListed = Effect.fnUntraced(function* <E>({ files: tree, splits }: Lists, read: Read<E>) {
  const files = new UsedFiles(tree, yield* openTree(tree))
  const found: Record<string, ReadonlyArray<Result.Result<Example, SetAside>>> = {}
  for (const [split, path] of Object.entries(splits)) {
    const lines = yield* linesOf(files, split, path)
    found[split] = yield* Effect.forEach(lines, (fields) => read(files, fields))
  }
  const digest = files.digest(yield* Hasher)
  if (digest !== tree.digest) {
    return yield* new FolderChanged({ path: files.name, expected: tree.digest, found: digest })
  }
  return { name: files.name, splits: found } satisfies ListedDataset
})

const setAside = (file: string, reason: string) => Result.fail<SetAside>({ file, reason })

const imageOf = (path: string, bytes: Uint8Array | undefined): Result.Result<ShardImage, SetAside> => {
  if (bytes === undefined) return setAside(path, "the image is missing")
  const kind = imageKindOf(bytes)
  if (kind === undefined) return setAside(path, notAnImage(bytes))
  // Shards tell members apart by their endings, and these names may have any.
  return Result.succeed({ name: kind === "netpbm" ? "image.ppm" : `image.${kind}`, origin: path, bytes })
}

const maskOf = (
  path: string,
  bytes: Uint8Array | undefined
): Result.Result<MaskedImage["mask"], SetAside> => {
  if (bytes === undefined) return setAside(path, "the mask is missing")
  const kind = imageKindOf(bytes)
  if (kind === "png") return Result.succeed({ name: "mask.png", bytes })
  if (kind === "netpbm") return Result.succeed({ name: "mask.pgm", bytes })
  return setAside(path, `the mask is ${kind ?? "no image"}: class indices are read from PNG and PGM`)
}

export interface PascalVocOptions extends Lists {
  readonly classes: ReadonlyArray<string>
  readonly imagesFolder: string
  readonly annotationsFolder: string
}

/** Boxes from XML files; an image's name without its ending stands first in each line of a list. */
export const readPascalVoc = (source: PascalVocOptions) =>
  readListed(
    source,
    Effect.fnUntraced(function* (files, [name = ""]) {
      const path = files.firstOf(
        [...imageEndings]
          .flatMap((ending) => [ending, ending.toUpperCase()])
          .map((ending) => `${source.imagesFolder}/${name}.${ending}`)
      )
      const xmlPath = `${source.annotationsFolder}/${name}.xml`
      const [bytes, xml] = [yield* files.read(path), yield* files.read(xmlPath)]
      const image = imageOf(path, bytes)
      if (Result.isFailure(image)) return Result.fail(image.failure)
      if (xml === undefined) return setAside(xmlPath, "the annotation is missing")
      return parseVocAnnotation(xmlPath, new TextDecoder().decode(xml), source.classes).pipe(
        Result.map((annotation): BoxedImage => ({ ...image.success, annotation })),
        Result.mapError(({ reason }) => ({ file: xmlPath, reason }))
      )
    })
  )

export interface IndexMasksOptions extends Lists {
  readonly listRoot: string
}

/** Each line of a list names an image and its mask. */
export const readIndexMasks = (source: IndexMasksOptions) => {
  const inTree = (path: string) =>
    path.startsWith(source.listRoot) ? path.slice(source.listRoot.length) : path
  return readListed(
    source,
    Effect.fnUntraced(function* (files, [imageName = "", maskName = ""]) {
      const [path, maskPath] = [inTree(imageName), inTree(maskName)]
      const [bytes, maskBytes] = [yield* files.read(path), yield* files.read(maskPath)]
      const image = imageOf(path, bytes)
      if (Result.isFailure(image)) return Result.fail(image.failure)
      if (maskPath === "") return setAside(path, "its line in the list names no mask")
      return Result.map(maskOf(maskPath, maskBytes), (mask): MaskedImage => ({ ...image.success, mask }))
    })
  )
}
