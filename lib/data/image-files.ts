/** Files of an image folder as examples: read one by one, what is no image set aside. */
import { Effect, Option, Stream } from "effect"
import type { Hasher } from "../storage/Digest.ts"
import type { FolderImage } from "./formats/image-folder.ts"
import { imageKindOf, notAnImage } from "./formats/image-kind.ts"
import type { FolderFile, SourceError } from "./SourceFiles.ts"
import type { SetAside } from "./set-aside.ts"
import { type LabelledImage, shardBytesMax } from "./shards.ts"
import { stratifiedSplit } from "./stratified-split.ts"

/** An image that would fill a shard alone; it goes into the store without being held. */
export interface LargeImage {
  readonly name: string
  readonly label: number
  readonly file: FolderFile
}

export interface TestSplitOptions {
  readonly testFraction: number
  readonly seed: number
  readonly testOnValidation?: boolean | undefined
}

/** With a test split: `all` (or `train`) cut in two where the folder itself has none. */
export const withTestSplit = (
  splits: Readonly<Record<string, ReadonlyArray<FolderImage>>>,
  { testFraction, testOnValidation, seed }: TestSplitOptions
): Readonly<Record<string, ReadonlyArray<FolderImage>>> => {
  if (testOnValidation && splits.validation !== undefined) {
    const { validation, ...rest } = splits
    return { ...rest, test: validation }
  }
  if (splits.test !== undefined) return splits
  const { all, ...others } = splits
  const images = all ?? others.train!
  const labels = images.map(({ label }) => label)
  const { kept, taken } = stratifiedSplit(labels, testFraction, seed)
  const pick = (indices: Int32Array) => Array.from(indices, (index) => images[index]!)
  return { ...others, train: pick(kept), test: pick(taken) }
}

interface ReadImage {
  /** Its first bytes: all of them, where it is small enough for a shard. */
  readonly head: Uint8Array
  readonly image: LabelledImage | LargeImage
}

const readImage = (file: FolderFile, label: number): Effect.Effect<ReadImage, SourceError> => {
  const { path: name } = file
  if (file.sizeBytes <= shardBytesMax) {
    return Effect.map(file.bytes, (bytes) => ({ head: bytes, image: { name, origin: name, bytes, label } }))
  }
  return Effect.map(Stream.runHead(file.source.chunks), (head) => ({
    head: Option.getOrElse(head, () => new Uint8Array()),
    image: { name, label, file }
  }))
}

/** The images as they come; `quarantined` is told of those that are none. */
export const readImages = (
  images: ReadonlyArray<FolderImage>,
  files: ReadonlyMap<string, FolderFile>,
  quarantined: Array<SetAside>
): Stream.Stream<LabelledImage | LargeImage, SourceError> =>
  Stream.fromIterable(images).pipe(
    Stream.mapEffect(({ path, label }) => readImage(files.get(path)!, label)),
    Stream.filter(({ head, image }) => {
      const readable = imageKindOf(head) !== undefined
      if (!readable) quarantined.push({ file: image.name, reason: notAnImage(head) })
      return readable
    }),
    Stream.map(({ image }) => image)
  )

/** Examples that begin as an image does; `quarantined` is told of the others. */
export const readableOnly = <E>(
  images: Stream.Stream<LabelledImage, E>,
  quarantined: Array<SetAside>
): Stream.Stream<LabelledImage, E> =>
  Stream.filter(images, ({ bytes, name, origin = name }) => {
    const readable = imageKindOf(bytes) !== undefined
    if (!readable) quarantined.push({ file: origin, reason: notAnImage(bytes) })
    return readable
  })

/** The folders that all paths begin with, as `a/b/`. */
const commonFolder = (paths: ReadonlyArray<string>): string => {
  const [first = ""] = paths
  let prefix = first.slice(0, first.lastIndexOf("/") + 1)
  for (const path of paths) {
    while (!path.startsWith(prefix)) prefix = prefix.slice(0, prefix.lastIndexOf("/", prefix.length - 2) + 1)
  }
  return prefix
}

/**
 * The files of an unpacked archive as those of a folder, without the folders around all of them (GitHub's
 * name the commit).
 */
export const packedFiles = (
  hasher: Hasher["Service"],
  contents: ReadonlyMap<string, Uint8Array>
): ReadonlyMap<string, FolderFile> => {
  const { length } = commonFolder([...contents.keys()])
  return new Map(
    [...contents].map(([name, bytes]) => {
      const path = name.slice(length)
      const source = { sizeBytes: bytes.length, chunks: Stream.succeed(bytes) }
      const digest = hasher.digest(bytes)
      return [path, { path, sizeBytes: bytes.length, digest, bytes: Effect.succeed(bytes), source }]
    })
  )
}
