/** Colours of one image, in place: shifted, noise added, normalised. */
import { type ColourShiftFactors, greyShares, linearShift } from "./colour-shift.ts"
import type { Normalization } from "./normalization.ts"

export interface RecolourOptions {
  /** Values in 0…255 before and normalised after, channels last. */
  readonly image: Float32Array
  readonly channels: number
  readonly factors: ColourShiftFactors
  /** Added to red, green and blue. */
  readonly noise: ReadonlyArray<number>
  /** Whether what leaves 0…255 is cut off before it is normalised. */
  readonly cut: boolean
  readonly normalization: Normalization
}

export const recolour = (options: RecolourOptions): void => {
  if (options.channels === 3) recolourRgb(options)
  else recolourGrey(options)
}

const recolourRgb = ({ cut, factors, image, noise, normalization }: RecolourOptions): void => {
  const { matrix, ofMeanGrey } = linearShift(factors)
  const [[rr, rg, rb], [gr, gg, gb], [br, bg, bb]] = matrix
  const shift = ofMeanGrey === 0 ? 0 : ofMeanGrey * meanGrey(image, greyShares)
  const [nr, ng, nb] = noise.map((value) => value + shift) as [number, number, number]
  const [kr, kg, kb] = normalization.std.map((std) => 1 / (255 * std)) as [number, number, number]
  const [mr, mg, mb] = normalization.mean.map((mean) => 255 * mean) as [number, number, number]
  const [least, most] = cut ? [0, 255] : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let at = 0; at < image.length; at += 3) {
    const [r, g, b] = [image[at]!, image[at + 1]!, image[at + 2]!]
    const red = rr * r + rg * g + rb * b + nr
    const green = gr * r + gg * g + gb * b + ng
    const blue = br * r + bg * g + bb * b + nb
    image[at] = ((red < least ? least : red > most ? most : red) - mr) * kr
    image[at + 1] = ((green < least ? least : green > most ? most : green) - mg) * kg
    image[at + 2] = ((blue < least ? least : blue > most ? most : blue) - mb) * kb
  }
}

/** Hue, saturation and noise are matters of colour: nothing is left of them here. */
const recolourGrey = ({ channels, cut, factors, image, normalization }: RecolourOptions): void => {
  const { ofMeanGrey } = linearShift(factors)
  const gain = factors.brightness * factors.contrast
  const evenShares = Array.from({ length: channels }, () => 1 / channels)
  const shift = ofMeanGrey === 0 ? 0 : ofMeanGrey * meanGrey(image, evenShares)
  for (let channel = 0; channel < channels; channel++) {
    const [mean, std] = [normalization.mean[channel]!, normalization.std[channel]!]
    for (let at = channel; at < image.length; at += channels) {
      const value = gain * image[at]! + shift
      const kept = cut ? Math.min(255, Math.max(0, value)) : value
      image[at] = (kept / 255 - mean) / std
    }
  }
}

const meanGrey = (image: Float32Array, shares: ReadonlyArray<number>): number => {
  const channels = shares.length
  let grey = 0
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0
    for (let at = channel; at < image.length; at += channels) sum += image[at]!
    grey += shares[channel]! * sum
  }
  return grey / (image.length / channels)
}
