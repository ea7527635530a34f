/** What lies in a folder of images: its classes, and how large the images are. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Option } from "effect"
import { planImageFolder } from "../../lib/data/formats/image-folder.ts"
import { ImageCodec } from "../../lib/data/ImageCodec.ts"

export interface FoundImages {
  readonly classes: ReadonlyArray<{ readonly name: string; readonly numImages: number }>
  /** Images that are left to train on when those for testing are set aside. */
  readonly numTrain: number
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

/**
 * `testFraction` is set aside where the folder has no `test`. Fails with `DatasetInvalid` where it is no
 * folder of classes.
 */
export const findImages = Effect.fn("findImages")(function* (folder: string, testFraction: number) {
  const { classes, splits } = yield* Effect.fromResult(planImageFolder(folder, pathsBelow(folder)))
  const training = splits.train ?? splits.all!
  const all = Object.values(splits).flat()
  const step = Math.max(1, Math.floor(training.length / numMeasured))
  const sides = yield* Effect.forEach(
    training.filter((_, index) => index % step === 0),
    ({ path }) => Effect.option(shorterSide(folder, path))
  )
  const sorted = sides.flatMap(Option.toArray).sort((a, b) => a - b)
  return {
    classes: classes.map((name, label) => ({
      name,
      numImages: all.filter((image) => image.label === label).length
    })),
    numTrain: splits.test === undefined ? Math.floor(training.length * (1 - testFraction)) : training.length,
    side: sorted[Math.floor(sorted.length / 2)]
  } satisfies FoundImages
})
