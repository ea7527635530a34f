/**
 * Brightness, contrast and saturation by random factors, as in torchvision's ColorJitter, but always in this
 * order and cut to 0…255 only at the end. All three are linear, so they are one operation on each pixel:
 * `own x pixel + grey x the pixel's grey + offset`.
 */
import type { RandomStream } from "../../tensor/random.ts"
import type { ImageSize } from "./pad-crop-flip.ts"

/** Factors; 1 changes nothing. */
export interface ColourFactors {
  readonly brightness: number
  readonly contrast: number
  readonly saturation: number
}

/** By how much a factor may be above or below 1. */
export interface ColourJitterParams {
  readonly brightness: number
  readonly contrast: number
  readonly saturation: number
}

/** As many numbers are drawn whatever the params. */
export const randomColourFactors = (random: RandomStream, params: ColourJitterParams): ColourFactors => ({
  brightness: factorWithin(random, params.brightness),
  contrast: factorWithin(random, params.contrast),
  saturation: factorWithin(random, params.saturation)
})

const factorWithin = (random: RandomStream, deviation: number): number =>
  random.between(1 - deviation, 1 + deviation)

export const isUnchanged = ({ brightness, contrast, saturation }: ColourFactors): boolean =>
  brightness === 1 && contrast === 1 && saturation === 1

/** What becomes of a pixel's value: `own x value + grey x (grey of the pixel) + offset`. */
export interface LinearColour {
  readonly own: number
  readonly grey: number
  readonly offset: number
  /** What a pixel's grey is made of, per channel. */
  readonly greyWeights: ReadonlyArray<number>
}

/** The share of red, green and blue in grey (ITU-R BT.601); one channel is its own grey. */
const greyWeightsOf = (channels: number): ReadonlyArray<number> =>
  channels === 3 ? [0.299, 0.587, 0.114] : Array.from({ length: channels }, () => 1 / channels)

/**
 * Of the image at `from` in `pixels`, `rows` x `columns` at the top left of its source (contrast turns about
 * the mean grey of the whole image).
 */
export const linearColour = (options: {
  readonly factors: ColourFactors
  readonly pixels: Uint8Array
  readonly from: number
  readonly size: ImageSize
  readonly rows: number
  readonly columns: number
}): LinearColour => {
  const { brightness, contrast, saturation } = options.factors
  const greyWeights = greyWeightsOf(options.size.channels)
  const mean = contrast === 1 ? 0 : meanGrey(options, greyWeights)
  return {
    own: brightness * contrast * saturation,
    grey: brightness * contrast * (1 - saturation),
    offset: brightness * (1 - contrast) * mean,
    greyWeights
  }
}

const meanGrey = (
  { columns, from, pixels, rows, size }: Parameters<typeof linearColour>[0],
  greyWeights: ReadonlyArray<number>
): number => {
  const { channels, width } = size
  let grey = 0
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0
    for (let row = 0; row < rows; row++) {
      const start = from + row * width * channels + channel
      const end = start + columns * channels
      for (let at = start; at < end; at += channels) sum += pixels[at]!
    }
    grey += greyWeights[channel]! * sum
  }
  return grey / (rows * columns)
}
