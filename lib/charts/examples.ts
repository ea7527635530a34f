/** Chosen images of a test split with what the data and the model say of them, in words and as pictures. */
import { Effect } from "effect"
import type { LabelledImages } from "../data/batches.ts"
import { type BoxedImages, boxesOfImage } from "../data/boxed-images.ts"
import type { ImageCodec, ImageUnreadable } from "../data/ImageCodec.ts"
import type { MaskedImages } from "../data/masked-images.ts"
import type { BoxPredictions, ClassPredictions, MaskPredictions } from "../data/predictions.ts"
import type { ImagesError, ShardedImages } from "../data/ShardedImages.ts"
import type { ChosenImage } from "./choose-examples.ts"
import { maskColours } from "./class-colours.ts"
import { imageAt, imagesAt, type Picture, pictureOf } from "./example-pictures.ts"
import { maskShares } from "./example-words.ts"
import { drawMask } from "./overlay.ts"
import type { BoxExample, ClassExample, MaskExample } from "./ReportDocument.ts"

/** Boxes of less certainty are not shown. */
const shownScoreMin = 0.25
/** More boxes than these hide the picture. */
const shownBoxesMax = 100

export interface ExamplesOf<Test, Predictions> {
  readonly test: Test
  readonly predictions: Predictions
  readonly classes: ReadonlyArray<string>
  readonly chosen: ReadonlyArray<ChosenImage>
}

export interface Example<E> {
  readonly example: E
  /** Of a segmenter's: as it is, as it was labelled, and as it was predicted. */
  readonly pictures: ReadonlyArray<Picture>
}

type Examples<E> = Effect.Effect<ReadonlyArray<Example<E>>, ImageUnreadable | ImagesError, ImageCodec>

export const classExamples = Effect.fnUntraced(function* (
  options: ExamplesOf<LabelledImages | ShardedImages, ClassPredictions>
) {
  const { test, predictions, classes, chosen } = options
  const imageOf = yield* imagesAt(
    test,
    chosen.map(({ image }) => image)
  )
  return yield* Effect.forEach(chosen, ({ choice, image }) => {
    const example: ClassExample = {
      choice,
      image,
      quality: predictions.quality[image]!,
      label: classes[test.labels[image]!]!,
      prediction: classes[predictions.classes[image]!]!,
      probability: predictions.probabilities[image]!
    }
    return Effect.map(pictureOf(imageOf(image)), (picture) => ({ example, pictures: [picture] }))
  })
})

const cornersAt = (boxes: Float32Array, index: number) => {
  const [y1, x1, y2, x2] = boxes.subarray(4 * index, 4 * index + 4)
  return [y1!, x1!, y2!, x2!] as const
}

const labelledBoxes = (
  test: BoxedImages,
  image: number,
  classes: ReadonlyArray<string>
): BoxExample["labels"] => {
  const { boxes, classes: indices, difficult } = boxesOfImage(test, image)
  return Array.from(indices, (index, at) => ({
    class: classes[index]!,
    difficult: difficult[at] !== 0,
    box: cornersAt(boxes, at)
  }))
}

/** The most certain first. */
const predictedBoxes = (
  { boxes, classes: indices, scores, offsets }: BoxPredictions,
  image: number,
  classes: ReadonlyArray<string>
): BoxExample["predictions"] => {
  const [from, to] = [offsets[image]!, offsets[image + 1]!]
  return Array.from({ length: to - from }, (_, index) => from + index)
    .map((at) => ({ class: classes[indices[at]!]!, score: scores[at]!, box: cornersAt(boxes, at) }))
    .filter(({ score }) => score >= shownScoreMin)
    .toSorted((a, b) => b.score - a.score)
    .slice(0, shownBoxesMax)
}

export const boxExamples = (options: ExamplesOf<BoxedImages, BoxPredictions>): Examples<BoxExample> => {
  const { test, predictions, classes, chosen } = options
  return Effect.forEach(chosen, ({ choice, image }) => {
    const example = {
      choice,
      image,
      quality: predictions.quality[image]!,
      labels: labelledBoxes(test, image, classes),
      predictions: predictedBoxes(predictions, image, classes)
    }
    const extent = [test.extents[2 * image]!, test.extents[2 * image + 1]!] as const
    const picture = pictureOf(imageAt(test, image, extent))
    return Effect.map(picture, (drawn) => ({ example, pictures: [drawn] }))
  })
}

export const maskExamples = (options: ExamplesOf<MaskedImages, MaskPredictions>): Examples<MaskExample> => {
  const { test, predictions, classes, chosen } = options
  const { height, width } = test
  const colours = maskColours(classes)
  const maskAt = (masks: Uint8Array, image: number) =>
    masks.subarray(image * height * width, (image + 1) * height * width)
  return Effect.forEach(chosen, ({ choice, image }) => {
    const [label, prediction] = [maskAt(test.masks, image), maskAt(predictions.masks, image)]
    const example = {
      choice,
      image,
      quality: predictions.quality[image]!,
      labels: maskShares(label, classes),
      predictions: maskShares(prediction, classes)
    }
    const original = imageAt(test, image)
    const drawn = [label, prediction].map((mask) => drawMask(original, { mask, height, width, colours }))
    const pictures = Effect.forEach([original, ...drawn], pictureOf)
    return Effect.map(pictures, (made) => ({ example, pictures: made }))
  })
}
