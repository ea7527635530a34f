/**
 * Images at another size, to the same bytes as Pillow's `Image.resize` gives, by which published networks
 * were trained and tested: a filter as wide as the shrinking asks for, along rows first, 22-bit weights, each
 * pass rounded to 8 bits (`Resample.c` up to Pillow 12; 13 begins with the columns of some images).
 */
import { Schema } from "effect"
import type { RawImage } from "./ImageCodec.ts"

/** Triangle, or Keys' cubic with a = -1/2 (Keys 1981); both are antialiased where an image shrinks. */
export const Resampler = Schema.Literals(["bilinear", "bicubic"])
export type Resampler = typeof Resampler.Type

interface Kernel {
  /** Pixels to each side, where the size stays. */
  readonly reach: number
  readonly at: (distance: number) => number
}

const kernels: { readonly [K in Resampler]: Kernel } = {
  bilinear: { reach: 1, at: (distance) => Math.max(0, 1 - Math.abs(distance)) },
  bicubic: {
    reach: 2,
    // The order of operations is Pillow's.
    at: (distance) => {
      const x = Math.abs(distance)
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0
    }
  }
}

/** Of the resized image, `length` pixels from `begin` on. */
export interface Span {
  readonly begin: number
  readonly length: number
}

interface Taps {
  /** Per pixel of the span its first pixel of the image, and how many follow. */
  readonly first: Int32Array
  readonly count: Int32Array
  /** `[length, most]`, whole numbers of 2^-22. */
  readonly weights: Int32Array
  readonly most: number
}

const fractionBits = 22
const half = 2 ** (fractionBits - 1)

const tapsOf = (kernel: Kernel, pixels: number, resized: number, { begin, length }: Span): Taps => {
  const scale = pixels / resized
  const widening = Math.max(1, scale)
  const reach = kernel.reach * widening
  const most = 2 * Math.ceil(reach) + 1
  const taps = { first: new Int32Array(length), count: new Int32Array(length), most }
  const weights = new Int32Array(length * most)
  for (let index = 0; index < length; index++) {
    const centre = (begin + index + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - reach + 0.5))
    const count = Math.min(pixels, Math.trunc(centre + reach + 0.5)) - first
    const shares = Array.from({ length: count }, (_, tap) =>
      kernel.at((tap + first - centre + 0.5) * (1 / widening))
    )
    const sum = shares.reduce((total, share) => total + share, 0)
    shares.forEach((share, tap) => {
      const exact = (share / sum) * 2 ** fractionBits
      weights[index * most + tap] = Math.trunc(exact < 0 ? exact - 0.5 : exact + 0.5)
    })
    taps.first[index] = first
    taps.count[index] = count
  }
  return { ...taps, weights }
}

/** Lines of samples `[lines, samples, step]` of which each is resampled by itself. */
interface Pass {
  readonly from: Uint8Array | Uint8ClampedArray
  readonly to: Uint8ClampedArray
  readonly taps: Taps
  /** Values from one sample of a line to the next. */
  readonly step: number
  readonly lines: number
  /** Values of a line, before and after. */
  readonly lengthFrom: number
  readonly lengthTo: number
}

const resampleLines = ({ from, lengthFrom, lengthTo, lines, step, taps, to }: Pass): void => {
  const { count, first, most, weights } = taps
  for (let line = 0; line < lines; line++) {
    for (let index = 0; index < first.length; index++) {
      const source = line * lengthFrom + first[index]! * step
      const target = line * lengthTo + index * step
      const begin = index * most
      const numTaps = count[index]!
      for (let value = 0; value < step; value++) {
        let sum = half
        for (let tap = 0, at = source + value; tap < numTaps; tap++, at += step) {
          sum += from[at]! * weights[begin + tap]!
        }
        to[target + value] = sum >> fractionBits
      }
    }
  }
}

export interface Resizing {
  readonly resampler: Resampler
  /** Size of the whole image afterwards, in pixels. */
  readonly height: number
  readonly width: number
  /** What of that is made. */
  readonly rows: Span
  readonly columns: Span
}

/** A part of what `image` is at another size. */
export const resample = (image: RawImage, resizing: Resizing): RawImage => {
  const { columns, height, resampler, rows, width } = resizing
  const { channels } = image
  const down = tapsOf(kernels[resampler], image.height, height, rows)
  // Rows that nothing is made of stay out of the first pass.
  const top = down.first[0]!
  const bottom = down.first.at(-1)! + down.count.at(-1)!
  const lengthFrom = image.width * channels
  const lengthTo = columns.length * channels
  const narrowed = new Uint8ClampedArray((bottom - top) * lengthTo)
  resampleLines({
    from: image.pixels.subarray(top * lengthFrom, bottom * lengthFrom),
    to: narrowed,
    taps: tapsOf(kernels[resampler], image.width, width, columns),
    step: channels,
    lines: bottom - top,
    lengthFrom,
    lengthTo
  })
  const pixels = new Uint8ClampedArray(rows.length * lengthTo)
  // One line whose samples are whole rows.
  resampleLines({
    from: narrowed,
    to: pixels,
    taps: { ...down, first: down.first.map((row) => row - top) },
    step: lengthTo,
    lines: 1,
    lengthFrom: 0,
    lengthTo: 0
  })
  return { pixels: new Uint8Array(pixels.buffer), height: rows.length, width: columns.length, channels }
}
