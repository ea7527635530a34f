/** What lies in a folder of images: its classes, and how large the images are. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Option } from "effect"
import { type FolderImage, planImageFolder } from "../../lib/data/formats/image-folder.ts"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"

export interface FoundClass {
  readonly name: string
  readonly numImages: number
  /** Images of these that are for training, if some are said to be for testing. */
  readonly numTrain: number | undefined
}

export interface FoundImages {
  readonly classes: ReadonlyArray<FoundClass>
  /** The middle one of the shorter sides of some images, in pixels; absent where none can be read. */
  readonly side: number | undefined
}

/** Spread over the folder, so that every class has its say. */
const numMeasured = 15

/** `/`-separated, from the folder. */
const pathsBelow = (folder: string, prefix = ""): ReadonlyArray<string> =>
  readdirSync(join(folder, prefix)).flatMap((name) => {
    const path = `${prefix}${name}`
    if (name.startsWith(".")) return []
    return statSync(join(folder, path)).isDirectory() ? pathsBelow(folder, `${path}/`) : [path]
  })

const shorterSide = Effect.fnUntraced(function* (folder: string, path: string) {
  const bytes = readFileSync(join(folder, path))
  const { height, width } = yield* (yield* ImageCodec).decode(path, bytes, 3)
  return Math.min(height, width)
})

const middleSide = Effect.fnUntraced(function* (folder: string, images: ReadonlyArray<FolderImage>) {
  const step = Math.max(1, Math.floor(images.length / numMeasured))
  const sides = yield* Effect.forEach(
    images.filter((_, index) => index % step === 0),
    ({ path }) => Effect.option(shorterSide(folder, path))
  )
  const sorted = sides.flatMap(Option.toArray).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
})

/** Fails with `DatasetInvalid` where it is no folder of classes. */
export const findImages = Effect.fn("findImages")(function* (folder: string) {
  const { classes, splits } = yield* Effect.fromResult(planImageFolder(folder, pathsBelow(folder)))
  const training = splits.train ?? splits.all!
  const count = (images: ReadonlyArray<FolderImage>, label: number) =>
    images.filter((image) => image.label === label).length
  return {
    classes: classes.map((name, label) => ({
      name,
      numImages: count(Object.values(splits).flat(), label),
      numTrain: splits.test === undefined ? undefined : count(training, label)
    })),
    side: yield* middleSide(folder, training)
  } satisfies FoundImages as FoundImages
})
