/** How images with boxes or masks are varied while training, as data; light enough for a stage's contract. */
import { Schema } from "effect"
import { withDefault } from "../models/withDefault.ts"

const Fraction = Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
const Zoom = Schema.Number.check(Schema.isBetween({ minimum: 0.1, maximum: 10 }))

/** Boxes and masks move with their image. Nothing said: the image as it is. */
export const DenseAugment = Schema.Struct({
  /** Whether half of the images are mirrored left to right. */
  flip: withDefault(Schema.Boolean, false),
  /** Whether half of them are mirrored top to bottom. */
  flipVertical: withDefault(Schema.Boolean, false),
  /**
   * Least and greatest zoom, both axes alike; all between are equally likely.
   * Above 1 a random part of the image fills the frame, below 1 it lies somewhere in it.
   */
  scale: withDefault(
    Schema.Tuple([Zoom, Zoom]).check(
      Schema.makeFilter(
        ([least, greatest]: readonly [number, number]) =>
          least <= greatest || `scale must go from the least to the greatest, got [${least}, ${greatest}]`
      )
    ),
    [1, 1]
  ),
  /** Pixels are multiplied by up to 1 ± this. */
  brightness: withDefault(Fraction, 0),
  /** Distances from the image's mean grey are multiplied by up to 1 ± this. */
  contrast: withDefault(Fraction, 0),
  /** Distances from the pixel's own grey are multiplied by up to 1 ± this; images of 3 channels only. */
  saturation: withDefault(Fraction, 0)
})
export type DenseAugment = typeof DenseAugment.Type
