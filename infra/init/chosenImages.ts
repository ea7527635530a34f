/** The images of a new project: given, found in its folder, rendered, or still to come. */
import { existsSync, statSync } from "node:fs"
import { join, relative, resolve, sep } from "node:path"
import { Effect } from "effect"
import { UsageError } from "../cli/errors.ts"
import { type FoundImages, findImages } from "./foundImages.ts"
import { type SampleImage, sampleImages } from "./sampleImages.ts"

export interface ChosenImages {
  /** From the project's folder, with `/`: what its pipeline says. */
  readonly path: string
  /** Absent where there are none yet. */
  readonly found: FoundImages | undefined
  /** To be written. */
  readonly samples: ReadonlyArray<SampleImage>
}

export interface ImageFlags {
  readonly images: string | undefined
  readonly sample: boolean
}

const layout =
  "Lay them out as <class>/<photo>.jpg, or as train/<class>/<photo>.jpg and test/<class>/<photo>.jpg"

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory()

const lookInto = (folder: string, shown: string) =>
  Effect.mapError(
    findImages(folder),
    ({ reason }) => new UsageError({ what: `the images in ${shown} cannot be used: ${reason}`, fix: layout })
  )

const rendered = Effect.fnUntraced(function* (path: string) {
  const samples = yield* sampleImages()
  const names = [...new Set(samples.map((sample) => sample.path.split("/")[0]!))]
  const classes = names.map((name) => ({
    name,
    numImages: samples.filter((sample) => sample.path.startsWith(`${name}/`)).length,
    numTrain: undefined
  }))
  const found = { classes, side: 32 }
  return { path, found, samples } satisfies ChosenImages as ChosenImages
})

/** Writes nothing. Fails with `UsageError` where the images that were named cannot be used. */
export const chooseImages = Effect.fn("chooseImages")(function* (project: string, flags: ImageFlags) {
  if (flags.images !== undefined && flags.sample) {
    return yield* new UsageError({ what: "--images and --sample are one too many: choose" })
  }
  const path = flags.images ?? "images"
  const folder = flags.images === undefined ? join(project, path) : resolve(path)
  const shown = flags.images ?? (relative(process.cwd(), folder) || ".")
  if (isFolder(folder)) {
    if (flags.sample) {
      return yield* new UsageError({
        what: `--sample: there is a folder ${shown} already`,
        fix: "Leave it out"
      })
    }
    const found = yield* lookInto(folder, shown)
    const fromProject = relative(project, folder).split(sep).join("/")
    return { path: fromProject, found, samples: [] } satisfies ChosenImages as ChosenImages
  }
  if (flags.images !== undefined)
    return yield* new UsageError({ what: `--images: there is no folder ${shown}` })
  if (flags.sample) return yield* rendered(path)
  return { path, found: undefined, samples: [] } satisfies ChosenImages as ChosenImages
})
