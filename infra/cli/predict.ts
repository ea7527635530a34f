/** `distillery predict` */
import { existsSync } from "node:fs"
import { join, relative, resolve } from "node:path"
import { Effect, Layer, Result } from "effect"
import type { ModelValue } from "../../stages/artifacts.ts"
import { imageCodecLayer, predictionRuntimeLayer } from "../layers.ts"
import type { Paint } from "../reporting/paint.ts"
import { type CacheFlags, readWith, type SettingsValue } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { AlreadyReported, errorLines, exitCodes, UsageError } from "./errors.ts"
import { type FoundModel, findModel } from "./findModel.ts"
import { cardFile } from "./ModelCard.ts"
import { Output, printJson } from "./Output.ts"
import { pictureNames } from "./predictionPictures.ts"
import { type Prediction, type PredictionOptions, predictionLines, predictionsOf } from "./predictions.ts"
import { prepareImage } from "./preparedImage.ts"

export interface PredictFlags extends CacheFlags {
  readonly model: string
  readonly images: ReadonlyArray<string>
  /** Folder of the pictures. */
  readonly output: string | undefined
  /** For detectors. */
  readonly threshold: number | undefined
  readonly json: boolean
}

/** As evaluations count what a detector shows. */
const thresholdByDefault = 0.5

type Predicted = { readonly file: string } & (Prediction | { readonly error: string })

/** Whether what was typed for a model is the folder of an export. */
const isExport = (text: string): boolean => existsSync(join(text, cardFile))

const shownPath = (file: string): string => relative(process.cwd(), file) || file

const predictedLines = (predicted: Predicted, paint: Paint): ReadonlyArray<string> => {
  if ("error" in predicted) return []
  return [
    paint.bold(predicted.file),
    ...predictionLines(predicted, shownPath, paint).map((line) => `  ${line}`)
  ]
}

const checkFlags = ({ threshold }: PredictFlags, { job, value }: FoundModel) =>
  threshold === undefined || value._tag === "Detector"
    ? Effect.void
    : Effect.fail(
        new UsageError({
          what: `--threshold is for detectors, and "${job}" is a ${value._tag.toLowerCase()}`,
          fix: "Leave it out"
        })
      )

/** As many as libuv's pool has threads. */
const decodesAtOnce = 4

/** What prepared images may take at once, however many there are. */
const heldBytesMax = 2 ** 26

/** Of every file its prediction, or why there is none. */
const predictFiles = Effect.fn("predictFiles")(function* (
  files: ReadonlyArray<string>,
  names: ReadonlyArray<string>,
  model: ModelValue,
  options: Pick<PredictionOptions, "folder" | "threshold">
) {
  const loaded = yield* Effect.forEach(
    files,
    (file) => Effect.result(prepareImage(file, model.preprocessing)),
    { concurrency: decodesAtOnce }
  )
  const images = loaded.flatMap((image) => (Result.isSuccess(image) ? [image.success] : []))
  const readable = names.filter((_, index) => Result.isSuccess(loaded[index]!))
  const predictions =
    images.length === 0 ? [] : yield* predictionsOf(model, { images, names: readable, ...options })
  let next = 0
  return loaded.map((image, index): Predicted => {
    const file = files[index]!
    return Result.isSuccess(image)
      ? { file, ...predictions[next++]! }
      : { file, error: image.failure.message }
  })
})

/** The same for any number of them. */
const predictAll = Effect.fn("predictAll")(function* (
  { images: files, output, threshold = thresholdByDefault }: PredictFlags,
  { job, value: model }: FoundModel,
  settings: SettingsValue
) {
  const folder = resolve(output ?? join(settings.projectDir, ".distillery", "predictions"))
  const names = pictureNames(files, job)
  const { channels, height, width } = model.preprocessing
  const imagesAtOnce = Math.ceil(heldBytesMax / (height * width * channels))
  const starts = Array.from({ length: Math.ceil(files.length / imagesAtOnce) }, (_, at) => at * imagesAtOnce)
  const parts = yield* Effect.forEach(starts, (start) => {
    const part = <A>(all: ReadonlyArray<A>) => all.slice(start, start + imagesAtOnce)
    return predictFiles(part(files), part(names), model, { folder, threshold })
  }).pipe(Effect.provide(predictionRuntimeLayer(settings, model.macs * files.length)))
  return parts.flat()
})

export const predict = Effect.fn("predict")(function* (flags: PredictFlags) {
  const { errorPaint, paint, print, tell } = yield* Output
  const settings = yield* readWith(flags)
  const predicted = Effect.fnUntraced(function* (found: FoundModel) {
    yield* checkFlags(flags, found)
    const images = yield* predictAll(flags, found, settings)
    const { job, key, pipeline, value } = found
    return { model: { pipeline, job, key, kind: value._tag.toLowerCase(), classes: value.classes }, images }
  })
  const all = yield* isExport(flags.model)
    ? Effect.gen(function* () {
        const { exportedModel, exportStoreLayer } = yield* Effect.promise(() => import("./exportedModel.ts"))
        const found = Effect.flatMap(exportedModel(flags.model), predicted)
        return yield* Effect.provide(found, Layer.merge(exportStoreLayer, imageCodecLayer))
      })
    : Effect.flatMap(findModel(flags.model), predicted).pipe(
        Effect.provide(Layer.merge(storageLayer(settings), imageCodecLayer))
      )
  for (const one of all.images) if ("error" in one) yield* tell(errorLines(one.error, errorPaint))
  yield* flags.json
    ? printJson({ schemaVersion: 1, ...all })
    : print(all.images.flatMap((one) => predictedLines(one, paint)))
  if (all.images.some((one) => "error" in one)) {
    return yield* new AlreadyReported({ exitCode: exitCodes.failed })
  }
})
