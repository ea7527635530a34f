/** What `predict` has to say of images, by the kind of the model: as data, and as lines for people. */
import { Effect } from "effect"
import type { Detection } from "../../lib/boxes/nms.ts"
import type { ClassifierValue, DetectorValue, ModelValue, SegmenterValue } from "../../stages/artifacts.ts"
import { percent } from "../reporting/numbers.ts"
import type { Paint } from "../reporting/paint.ts"
import { table } from "../reporting/table.ts"
import { drawDetections, drawSegmentation } from "./predictionPictures.ts"
import type { PreparedImage } from "./preparedImage.ts"

/** The most probable classes. */
interface ClassPrediction {
  readonly predictions: ReadonlyArray<{ readonly class: string; readonly probability: number }>
}

interface BoxPrediction {
  /** Of the file's image, in pixels. */
  readonly height: number
  readonly width: number
  /** Best first; `box` is `[y1, x1, y2, x2]` in pixels of the file's image. */
  readonly boxes: ReadonlyArray<{
    readonly class: string
    readonly score: number
    readonly box: ReadonlyArray<number>
  }>
  /** Path of the picture with the boxes drawn in. */
  readonly overlay: string
}

interface MaskPrediction {
  readonly height: number
  readonly width: number
  /** Of the image's pixels, 0…1, the largest first. */
  readonly shares: ReadonlyArray<{ readonly class: string; readonly share: number }>
  /** Path of the picture under the classes' colours. */
  readonly overlay: string
  /** Path of the mask: a grey PNG of the image's size, its values are indices into `model.classes`. */
  readonly mask: string
}

export type Prediction = ClassPrediction | BoxPrediction | MaskPrediction

export interface PredictionOptions {
  readonly images: ReadonlyArray<PreparedImage>
  /** Where pictures go, and what they are called there, one for each image. */
  readonly folder: string
  readonly names: ReadonlyArray<string>
  /** Boxes of less certainty are left out. */
  readonly threshold: number
}

const numShown = 5

const classPredictions = Effect.fn("classPredictions")(function* (
  model: ClassifierValue,
  { images }: PredictionOptions
) {
  const { classify } = yield* Effect.promise(() => import("./classify.ts"))
  const found = yield* classify(model, images)
  return found.map(
    (probabilities): Prediction => ({
      predictions: [...probabilities]
        .map((probability, index) => ({ class: model.classes[index]!, probability }))
        .sort((a, b) => b.probability - a.probability)
        .slice(0, numShown)
    })
  )
})

/** Hundredths of a pixel are more than a box knows. */
const rounded = ({ box }: Detection): ReadonlyArray<number> => box.map((value) => Number(value.toFixed(2)))

const boxPredictions = Effect.fn("boxPredictions")(function* (
  { classes, ...model }: DetectorValue,
  { folder, images, names, threshold }: PredictionOptions
) {
  const { detectIn } = yield* Effect.promise(() => import("./detect.ts"))
  const found = yield* detectIn({ classes, ...model }, images, threshold)
  return yield* Effect.forEach(
    images,
    Effect.fnUntraced(function* ({ file, height, width }, index) {
      const detections = found[index]!
      const overlay = yield* drawDetections({ file, detections, classes, folder, name: names[index]! })
      const boxes = detections.map((one) => {
        return { class: classes[one.classIndex]!, score: one.score, box: rounded(one) }
      })
      return { height, width, boxes, overlay } satisfies Prediction as Prediction
    })
  )
})

const sharesOf = (mask: Uint8Array, classes: ReadonlyArray<string>): MaskPrediction["shares"] => {
  const counts = new Float64Array(256)
  for (const value of mask) counts[value]!++
  return classes
    .map((name, index) => ({ class: name, share: counts[index]! / mask.length }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share)
}

const maskPredictions = Effect.fn("maskPredictions")(function* (
  model: SegmenterValue,
  { folder, images, names }: PredictionOptions
) {
  const { classes } = model
  const { segmentIn } = yield* Effect.promise(() => import("./segment.ts"))
  const masks = yield* segmentIn(model, images)
  return yield* Effect.forEach(
    images,
    Effect.fnUntraced(function* ({ file, height, width }, index) {
      const mask = masks[index]!
      const files = yield* drawSegmentation({ file, mask, classes, folder, name: names[index]! })
      return { height, width, shares: sharesOf(mask, classes), ...files } satisfies Prediction as Prediction
    })
  )
})

/** One prediction an image, in their order. */
export const predictionsOf = (model: ModelValue, options: PredictionOptions) => {
  switch (model._tag) {
    case "Classifier":
      return classPredictions(model, options)
    case "Detector":
      return boxPredictions(model, options)
    case "Segmenter":
      return maskPredictions(model, options)
  }
}

/** Below the file's name; `shown` shortens a path. */
export const predictionLines = (
  prediction: Prediction,
  shown: (file: string) => string,
  paint: Paint
): ReadonlyArray<string> => {
  if ("predictions" in prediction) {
    const rows = prediction.predictions.map(({ class: name, probability }) => [percent(probability), name])
    return table([{ title: "probability", align: "right" }, { title: "class" }], rows, paint)
  }
  const overlay = `${paint.dim("drawn")}  ${shown(prediction.overlay)}`
  if ("boxes" in prediction) {
    const sides = ["top", "left", "bottom", "right"].map((title) => ({ title, align: "right" }) as const)
    const rows = prediction.boxes.map(({ box, class: name, score }) => {
      return [percent(score), name, ...box.map((value) => String(Math.round(value)))]
    })
    const columns = [{ title: "score", align: "right" }, { title: "class" }, ...sides] as const
    return [...(rows.length === 0 ? ["nothing was found"] : table(columns, rows, paint)), overlay]
  }
  const rows = prediction.shares.map(({ class: name, share }) => [percent(share), name])
  return [
    ...table([{ title: "pixels", align: "right" }, { title: "class" }], rows, paint),
    overlay,
    `${paint.dim("mask ")}  ${shown(prediction.mask)}`
  ]
}
