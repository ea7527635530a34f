/** `distillery predict` */
import { readFile } from "node:fs/promises"
import { Effect, Layer, Result } from "effect"
import { ImageCodec, ImageUnreadable, type RawImage } from "../../lib/data/ImageCodec.ts"
import type { ClassifierValue, Preprocessing } from "../../stages/artifacts.ts"
import { imageCodecLayer, portableRuntimeLayer, storageLayer } from "../layers.ts"
import { percent } from "../reporting/numbers.ts"
import type { Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { read } from "../settings.ts"
import { AlreadyReported, errorLines, exitCodes } from "./errors.ts"
import { findModel } from "./findModel.ts"
import { Output, printJson } from "./Output.ts"

export interface PredictFlags {
  readonly model: string
  readonly images: ReadonlyArray<string>
  readonly json: boolean
}

const numShown = 5

interface Prediction {
  readonly class: string
  readonly probability: number
}

const readable = (file: string) =>
  Effect.tryPromise({
    try: () => readFile(file),
    catch: (error) => {
      const { code, message } = error as NodeJS.ErrnoException
      return new ImageUnreadable({
        image: file,
        reason: code === "ENOENT" ? "there is no such file" : message
      })
    }
  })

/** The image as the network was trained to see it, not yet normalised: `[H, W, C]`, 0…255. */
const preprocessed = Effect.fn("preprocessed")(function* (file: string, to: Preprocessing) {
  const codec = yield* ImageCodec
  const image = yield* codec.decode(file, yield* readable(file), to.channels)
  return image.height === to.height && image.width === to.width
    ? image
    : yield* codec.resize(image, to.height, to.width)
})

const best = (classes: ReadonlyArray<string>, probabilities: Float32Array): ReadonlyArray<Prediction> =>
  [...probabilities]
    .map((probability, index) => ({ class: classes[index]!, probability }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, numShown)

const predictAll = Effect.fn("predictAll")(function* (
  model: ClassifierValue,
  images: ReadonlyArray<RawImage>
) {
  if (images.length === 0) return []
  const { classify } = yield* Effect.promise(() => import("./classify.ts"))
  const found = yield* Effect.provide(classify(model, images), portableRuntimeLayer)
  return found.map((probabilities) => best(model.classes, probabilities))
})

type Predicted = { readonly file: string } & (
  | { readonly predictions: ReadonlyArray<Prediction> }
  | { readonly error: string }
)

const predictedLines = (predicted: Predicted, paint: Paint): ReadonlyArray<string> => {
  if ("error" in predicted) return []
  const rows = predicted.predictions.map(({ class: name, probability }) => [percent(probability), name])
  return [
    paint.bold(predicted.file),
    ...table([{ title: "probability", align: "right" }, { title: "class" }], rows, paint).map(
      (line) => `  ${line}`
    )
  ]
}

export const predict = Effect.fn("predict")(
  function* (flags: PredictFlags) {
    const { errorPaint, paint, print, tell } = yield* Output
    const { job, pipeline, value: model, key } = yield* findModel(flags.model)
    const loaded = yield* Effect.forEach(flags.images, (file) =>
      Effect.result(preprocessed(file, model.preprocessing))
    )
    const found = yield* predictAll(
      model,
      loaded.flatMap((image) => (Result.isSuccess(image) ? [image.success] : []))
    )
    let next = 0
    const all = loaded.map((image, index): Predicted => {
      const file = flags.images[index]!
      return Result.isSuccess(image)
        ? { file, predictions: found[next++]! }
        : { file, error: image.failure.message }
    })
    for (const one of all) if ("error" in one) yield* tell(errorLines(one.error, errorPaint))
    yield* flags.json
      ? printJson({ schemaVersion: 1, model: { pipeline, job, key }, images: all })
      : print(all.flatMap((one) => predictedLines(one, paint)))
    if (all.some((one) => "error" in one)) return yield* new AlreadyReported({ exitCode: exitCodes.failed })
  },
  (effect) =>
    Effect.flatMap(read, (settings) =>
      Effect.provide(effect, Layer.merge(storageLayer(settings), imageCodecLayer))
    )
)
