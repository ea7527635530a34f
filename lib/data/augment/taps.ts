/** Linear interpolation along one axis: which pixels of the image make one of the frame, and their shares. */
import { type Axis, coveredPixels, placeInImage } from "./placement.ts"

export interface Taps {
  /** The covered pixels of the frame. */
  readonly begin: number
  readonly end: number
  /** Taps of every covered pixel. */
  readonly count: number
  /** Per covered pixel its first pixel of the image; the others follow. */
  readonly first: Int32Array
  /** `[covered, count]`; each row's sum is 1. */
  readonly weights: Float64Array
}

/**
 * A triangle around the pixel's centre, one image pixel to each side, or one frame pixel where that is more.
 * What of it lies outside of the image goes to those inside.
 */
export const tapsOf = (axis: Axis, frame: number): Taps => {
  const { begin, end } = coveredPixels(axis, frame)
  const reach = Math.max(1, 1 / axis.scale)
  const count = Math.min(axis.length, Math.ceil(2 * reach))
  const first = new Int32Array(end - begin)
  const weights = new Float64Array(first.length * count)
  for (let index = 0; index < first.length; index++) {
    const place = placeInImage(axis, begin + index)
    const start = Math.min(Math.max(Math.floor(place - reach - 0.5) + 1, 0), axis.length - count)
    first[index] = start
    writeShares(weights.subarray(index * count, (index + 1) * count), start + 0.5 - place, reach)
  }
  return { begin, end, count, first, weights }
}

const writeShares = (shares: Float64Array, distance: number, reach: number): void => {
  let sum = 0
  for (let tap = 0; tap < shares.length; tap++) {
    const share = Math.max(0, 1 - Math.abs(distance + tap) / reach)
    shares[tap] = share
    sum += share
  }
  for (let tap = 0; tap < shares.length; tap++) shares[tap] = shares[tap]! / sum
}

export interface ResampledRow {
  /** `[covered, C]` */
  readonly output: Float32Array
  /** Holds the row from `from` on, `[W, C]`. */
  readonly pixels: Uint8Array
  readonly from: number
  readonly channels: number
  readonly taps: Taps
}

export const resampleRow = ({ channels, from, output, pixels, taps }: ResampledRow): void => {
  const { count, first, weights } = taps
  for (let index = 0; index < first.length; index++) {
    const source = from + first[index]! * channels
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0
      for (let tap = 0; tap < count; tap++) {
        sum += weights[index * count + tap]! * pixels[source + tap * channels + channel]!
      }
      output[index * channels + channel] = sum
    }
  }
}
