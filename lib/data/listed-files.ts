/**
 * Datasets whose splits are lists of files: Pascal VOC's boxes, masks of class indices. What a list names and
 * cannot be used is set aside with the reason, never passed over in silence.
 */
import { Effect, Result } from "effect"
import { type Digest, Hasher } from "../storage/Digest.ts"
import { DatasetInvalid, type FolderChanged } from "./DatasetInvalid.ts"
import { type FileTree, openTree, UsedFiles } from "./file-tree.ts"
import { imageKindOf, notAnImage } from "./formats/image-kind.ts"
import { parseVocAnnotation } from "./formats/pascal-voc.ts"
import { parseSplitList } from "./formats/split-list.ts"
import type { SourceError } from "./SourceFiles.ts"
import type { SetAside } from "./set-aside.ts"
import { type BoxedImage, type Example, imageEndings, type MaskedImage, type ShardImage } from "./shards.ts"

export interface ListedDataset {
  readonly name: string
  /** In the order of the lists; read when asked for. */
  readonly splits: Readonly<
    Record<string, ReadonlyArray<Effect.Effect<Result.Result<Example, SetAside>, SourceError>>>
  >
  /** When all are read: whether the files used are those that the pipeline names. */
  readonly checked: Effect.Effect<void, FolderChanged>
}

interface Lists {
  readonly files: FileTree
  readonly splits: { readonly train: string; readonly test: string; readonly validation?: string }
}

type Read = (
  files: UsedFiles,
  fields: ReadonlyArray<string>
) => Effect.Effect<Result.Result<Example, SetAside>, SourceError>

/** Lines of a list that is there and not empty. */
const linesOf = Effect.fnUntraced(function* (files: UsedFiles, split: string, path: string) {
  const list = yield* files.read(path)
  if (list !== undefined) return parseSplitList(new TextDecoder().decode(list))
  const reason = `split "${split}" should be listed in "${path}", which is not there`
  return yield* new DatasetInvalid({ dataset: files.name, reason })
})

/** Every line of every list as an example. */
const readListed = Effect.fnUntraced(function* (
  { files: tree, splits }: Lists,
  planned: Digest | undefined,
  read: Read
) {
  const hasher = yield* Hasher
  const files = new UsedFiles(tree, yield* openTree(tree, planned))
  const found: Record<string, ListedDataset["splits"][string]> = {}
  for (const [split, path] of Object.entries(splits)) {
    found[split] = (yield* linesOf(files, split, path)).map((fields) => read(files, fields))
  }
  return { name: files.name, splits: found, checked: files.checked(hasher) } satisfies ListedDataset
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
export const readPascalVoc = (source: PascalVocOptions, planned: Digest | undefined) =>
  readListed(
    source,
    planned,
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
export const readIndexMasks = (source: IndexMasksOptions, planned: Digest | undefined) => {
  const inTree = (path: string) =>
    path.startsWith(source.listRoot) ? path.slice(source.listRoot.length) : path
  return readListed(
    source,
    planned,
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
