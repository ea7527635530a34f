/** `distillery predict` */
import { join, relative, resolve } from "node:path"
import { Effect, Layer, Result } from "effect"
import { imageCodecLayer } from "../layers.ts"
import type { Paint } from "../reporting/paint.ts"
import { type CacheFlags, readWith, type SettingsValue } from "../settings.ts"
import { storageLayer } from "../storageLayers.ts"
import { AlreadyReported, errorLines, exitCodes, UsageError } from "./errors.ts"
import { type FoundModel, findModel } from "./findModel.ts"
import { Output, printJson } from "./Output.ts"
import { pictureNames } from "./predictionPictures.ts"
import { type Prediction, predictionLines, predictionsOf } from "./predictions.ts"
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

/** Of every file its prediction, or why there is none. */
const predictAll = Effect.fn("predictAll")(function* (
  flags: PredictFlags,
  { job, value: model }: FoundModel,
  settings: SettingsValue
) {
  const loaded = yield* Effect.forEach(flags.images, (file) =>
    Effect.result(prepareImage(file, model.preprocessing))
  )
  const images = loaded.flatMap((image) => (Result.isSuccess(image) ? [image.success] : []))
  const files = images.map(({ file }) => file)
  const predictions =
    images.length === 0
      ? []
      : yield* predictionsOf(model, {
          images,
          folder: resolve(flags.output ?? join(settings.projectDir, ".distillery", "predictions")),
          names: pictureNames(files, job),
          threshold: flags.threshold ?? thresholdByDefault
        })
  let next = 0
  return loaded.map((image, index): Predicted => {
    const file = flags.images[index]!
    return Result.isSuccess(image)
      ? { file, ...predictions[next++]! }
      : { file, error: image.failure.message }
  })
})

export const predict = Effect.fn("predict")(function* (flags: PredictFlags) {
  const { errorPaint, paint, print, tell } = yield* Output
  const settings = yield* readWith(flags)
  const all = yield* Effect.gen(function* () {
    const found = yield* findModel(flags.model)
    yield* checkFlags(flags, found)
    const images = yield* predictAll(flags, found, settings)
    const { job, key, pipeline, value } = found
    return { model: { pipeline, job, key, kind: value._tag.toLowerCase(), classes: value.classes }, images }
  }).pipe(Effect.provide(Layer.merge(storageLayer(settings), imageCodecLayer)))
  for (const one of all.images) if ("error" in one) yield* tell(errorLines(one.error, errorPaint))
  yield* flags.json
    ? printJson({ schemaVersion: 1, ...all })
    : print(all.images.flatMap((one) => predictedLines(one, paint)))
  if (all.images.some((one) => "error" in one)) {
    return yield* new AlreadyReported({ exitCode: exitCodes.failed })
  }
})
