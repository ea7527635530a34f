/** What training does to a classifier's images, as data. Nothing said: the images as they are. */
import { Schema } from "effect"
import { leftOut, withDefault } from "../../models/withDefault.ts"
import { AutoAugment } from "./auto-augment.ts"
import { ColourShift } from "./colour-shift.ts"
import { RandomErasing } from "./random-erasing.ts"
import { ResizedCrop } from "./random-resized-crop.ts"

const Pad = Schema.Int.check(
  Schema.isBetween({ minimum: 0, maximum: 64 }, { expected: "a whole number of pixels from 0 to 64" })
)
const Deviation = Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 10 }))

/**
 * Applied in this order. Pixels are normalised before the last. Values are float32, but for `autoAugment`.
 */
export const Augment = Schema.Struct({
  /** Pixels on each side before a random crop of the network's size. */
  pad: withDefault(Pad, 0),
  /** In place of that crop: a random part, resized to the network's size. Null: none. */
  resizedCrop: leftOut(Schema.NullOr(ResizedCrop), null),
  /** Whether half of the images are mirrored left to right. */
  flip: withDefault(Schema.Boolean, false),
  /** Operations on bytes: values are rounded first. Null: none. */
  autoAugment: leftOut(Schema.NullOr(AutoAugment), null),
  /**
   * Null: colours stay. "paper" cuts no value off; "gluoncv" cuts to 0…255 once, when noise is added too (its
   * reference works on bytes, and cuts after every step). Grey images have no hue and no saturation.
   */
  colour: leftOut(Schema.NullOr(ColourShift), null),
  /**
   * Deviation of the noise along the principal colours of ImageNet (Krizhevsky et al. 2012); the paper's is
   * 0.1. Images of 3 channels only: others stay as they are.
   */
  pcaNoise: leftOut(Deviation, 0),
  /** Null: nothing is erased. */
  erasing: leftOut(Schema.NullOr(RandomErasing), null)
}).check(
  Schema.makeFilter(
    ({ pad, resizedCrop = null }) =>
      pad === 0 ||
      resizedCrop === null ||
      `pad (${pad}) and resizedCrop are two ways to crop: leave one of them out`
  )
)
export type Augment = typeof Augment.Type
