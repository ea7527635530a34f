/** `distillery init` */
import { existsSync, statSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join, relative, resolve } from "node:path"
import { Effect } from "effect"
import { packageRootOf } from "../code/packageRoot.ts"
import { type ChosenImages, chooseImages, type ImageFlags } from "../init/chosenImages.ts"
import { type ManifestPlan, manifestPlan, projectFiles } from "../init/newProject.ts"
import { type ProjectFile, writeFileOnce } from "../init/projectFiles.ts"
import { imageCodecLayer } from "../layers.ts"
import type { Paint } from "../reporting/paint.ts"
import { UsageError } from "./errors.ts"
import { quoted } from "./nextSteps.ts"
import { Output, printJson } from "./Output.ts"

export interface InitFlags extends ImageFlags {
  readonly folder: string
  readonly json: boolean
}

interface Made {
  readonly folder: string
  readonly written: ReadonlyArray<string>
  /** What was there and was left alone. */
  readonly kept: ReadonlyArray<string>
  /** Fields of package.json. */
  readonly added: ReadonlyArray<string>
  readonly images: ChosenImages
}

const attempt = <A>(folder: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (error) =>
      new UsageError({ what: `the project cannot be written to ${folder}: ${(error as Error).message}` })
  })

const writeAll = Effect.fnUntraced(function* (folder: string, files: ReadonlyArray<ProjectFile>) {
  const outcomes = yield* Effect.forEach(files, (file) =>
    Effect.map(
      attempt(folder, () => writeFileOnce(folder, file)),
      (isWritten) => ({ path: file.path, isWritten })
    )
  )
  const paths = (isWritten: boolean) =>
    outcomes.flatMap((one) => (one.isWritten === isWritten ? [one.path] : []))
  return { written: paths(true), kept: paths(false) }
})

const writeManifest = Effect.fnUntraced(function* (folder: string, { added, text }: ManifestPlan) {
  if (text === undefined) return { written: [], kept: ["package.json"], added: [] }
  yield* attempt(folder, () => writeFile(join(folder, "package.json"), text))
  return added === undefined
    ? { written: ["package.json"], kept: [], added: [] }
    : { written: [], kept: [], added }
})

const checkFolder = (folder: string) =>
  existsSync(folder) && !statSync(folder).isDirectory()
    ? Effect.fail(new UsageError({ what: `${folder} is a file: name a folder` }))
    : Effect.void

/** Everything is looked at before anything is written. */
const makeProject = Effect.fn("makeProject")(function* (flags: InitFlags) {
  const folder = resolve(flags.folder)
  yield* checkFolder(folder)
  const images = yield* chooseImages(folder, flags)
  const project = { folder, images, packageRoot: packageRootOf(import.meta.url) }
  const manifest = yield* manifestPlan(project)
  const files = yield* writeAll(folder, projectFiles(project))
  const own = yield* writeManifest(folder, manifest)
  return {
    folder,
    written: [...own.written, ...files.written],
    kept: [...own.kept, ...files.kept],
    added: own.added,
    images
  } satisfies Made as Made
})

/** Fewer of a class hardly teach it. */
const numImagesMin = 20

const imageLines = ({ found, path, samples }: ChosenImages, paint: Paint): ReadonlyArray<string> => {
  if (found === undefined) {
    return [
      `Put your images into ${path}/<class>/ before you run it,`,
      "or have some rendered: npx distillery init --sample"
    ]
  }
  const classes = found.classes.map(({ name, numImages }) => `${name} ${numImages}`).join(", ")
  const few = found.classes.filter(({ numImages }) => numImages < numImagesMin).map(({ name }) => name)
  return [
    `${samples.length > 0 ? "Rendered" : "Found"} ${found.classes.length} classes in ${path}: ${classes}`,
    ...(few.length > 0
      ? [paint.yellow(`Few images to learn from: ${few.join(", ")}; ${numImagesMin} and more work better`)]
      : [])
  ]
}

const lines = (made: Made, paint: Paint): ReadonlyArray<string> => {
  const shown = relative(process.cwd(), made.folder)
  const samples = made.images.samples.length
  const isSample = (path: string) => path.startsWith(`${made.images.path}/`)
  const written = made.written.filter((path) => !isSample(path))
  const steps = [
    ...(shown === "" ? [] : [`cd ${quoted(shown)}`]),
    "npm install",
    ...(made.images.found === undefined ? [] : ["npx distillery run ./my-pipeline.ts"])
  ]
  return [
    ...(written.length > 0 ? [`Wrote ${written.join(", ")}`] : []),
    ...(samples > 0 ? [`Wrote ${made.written.length - written.length} images into ${made.images.path}`] : []),
    ...(made.added.length > 0 ? [`Added to package.json: ${made.added.join(", ")}`] : []),
    ...(made.kept.length > 0 ? [`Kept as they are: ${made.kept.join(", ")}`] : []),
    ...imageLines(made.images, paint),
    "",
    ...steps.map((step, index) => `${index === 0 ? "Next:" : "     "}   ${step}`)
  ]
}

export const init = Effect.fn("init")(function* (flags: InitFlags) {
  const { paint, print } = yield* Output
  const made = yield* Effect.provide(makeProject(flags), imageCodecLayer)
  const { added, folder, images, kept, written } = made
  const { found, path } = images
  yield* flags.json
    ? printJson({ schemaVersion: 1, folder, written, kept, added, images: { path, ...found } })
    : print(lines(made, paint))
})
