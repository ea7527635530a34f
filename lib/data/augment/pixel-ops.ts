/**
 * Changes of an image's bytes that leave every pixel in its place, to the bytes of Pillow's `ImageEnhance`
 * and `ImageOps` (`Blend.c`, `Filter.c`, `ImageOps.py`).
 */
import type { ImageSize } from "./pad-crop-flip.ts"

export interface BytesOptions {
  /** `[H, W, C]`, C is 1 or 3. */
  readonly source: Uint8Array
  /** Of the same size, and not the same. */
  readonly target: Uint8Array
  readonly size: ImageSize
}

/** From `degenerate` at 0 over the source at 1 and beyond, cut to bytes as Pillow does it: in float32. */
const blended = (degenerate: number, value: number, factor: number): number => {
  const mixed = Math.fround(degenerate + Math.fround(factor * (value - degenerate)))
  return mixed <= 0 ? 0 : mixed >= 255 ? 255 : Math.trunc(mixed)
}

/** ITU-R BT.601 in 2^-16, as Pillow's "L". */
const greyAt = (source: Uint8Array, at: number, channels: number): number =>
  channels === 1
    ? source[at]!
    : (source[at]! * 19595 + source[at + 1]! * 38470 + source[at + 2]! * 7471 + 0x8000) >> 16

export const brightness = ({ source, target }: BytesOptions, factor: number): void =>
  byTable(source, target, 1, [tableOf((value) => blended(0, value, Math.fround(factor)))])

/** Away from the image's mean grey, a whole number. */
export const contrast = ({ size, source, target }: BytesOptions, factor: number): void => {
  let sum = 0
  for (let at = 0; at < source.length; at += size.channels) sum += greyAt(source, at, size.channels)
  const mean = Math.trunc(sum / (size.height * size.width) + 0.5)
  byTable(source, target, 1, [tableOf((value) => blended(mean, value, Math.fround(factor)))])
}

/** Away from the pixel's own grey. */
export const saturation = ({ size, source, target }: BytesOptions, factor: number): void => {
  const single = Math.fround(factor)
  for (let at = 0; at < source.length; at += size.channels) {
    const grey = greyAt(source, at, size.channels)
    for (let channel = 0; channel < size.channels; channel++) {
      target[at + channel] = blended(grey, source[at + channel]!, single)
    }
  }
}

/** Away from the smoothed image; the outermost pixels have no neighbours all around and stay. */
export const sharpness = ({ size, source, target }: BytesOptions, factor: number): void => {
  const { channels, height, width } = size
  const [single, line] = [Math.fround(factor), width * channels]
  target.set(source)
  for (let row = 1; row < height - 1; row++) {
    for (let at = row * line + channels; at < (row + 1) * line - channels; at++) {
      const [above, below] = [at - line, at + line]
      const around =
        source[above - channels]! +
        source[above]! +
        source[above + channels]! +
        source[at - channels]! +
        source[at + channels]! +
        source[below - channels]! +
        source[below]! +
        source[below + channels]!
      const smooth = Math.trunc((around + 5 * source[at]!) / 13 + 0.5)
      target[at] = blended(smooth, source[at]!, single)
    }
  }
}

/** Keeps the upper `bits` of each value. */
export const posterize = ({ source, target }: BytesOptions, bits: number): void => {
  const mask = 0xff & ~(2 ** (8 - bits) - 1)
  byTable(source, target, 1, [tableOf((value) => value & mask)])
}

/** Turns values from `threshold` on into their opposite. */
export const solarize = ({ source, target }: BytesOptions, threshold: number): void =>
  byTable(source, target, 1, [tableOf((value) => (value < threshold ? value : 255 - value))])

/** Stretches each channel to 0…255. */
export const autocontrast = ({ size, source, target }: BytesOptions): void =>
  byTable(source, target, size.channels, histograms(source, size.channels).map(stretchingTable))

/** Makes each channel's values equally frequent. */
export const equalize = ({ size, source, target }: BytesOptions): void =>
  byTable(source, target, size.channels, histograms(source, size.channels).map(equalizingTable))

type Table = Uint8Array

const tableOf = (changed: (value: number) => number): Table =>
  Uint8Array.from({ length: 256 }, (_, value) => changed(value))

const identityTable = tableOf((value) => value)

/** One table for each of so many channels. */
const byTable = (
  source: Uint8Array,
  target: Uint8Array,
  channels: number,
  tables: ReadonlyArray<Table>
): void => {
  for (const [channel, table] of tables.entries()) {
    for (let at = channel; at < source.length; at += channels) target[at] = table[source[at]!]!
  }
}

const histograms = (source: Uint8Array, channels: number): ReadonlyArray<Int32Array> =>
  Array.from({ length: channels }, (_, channel) => {
    const histogram = new Int32Array(256)
    for (let at = channel; at < source.length; at += channels) histogram[source[at]!]!++
    return histogram
  })

const stretchingTable = (histogram: Int32Array): Table => {
  const least = histogram.findIndex((count) => count > 0)
  const most = histogram.findLastIndex((count) => count > 0)
  if (most <= least) return identityTable
  const scale = 255 / (most - least)
  const offset = -least * scale
  return tableOf((value) => Math.min(255, Math.max(0, Math.trunc(value * scale + offset))))
}

const equalizingTable = (histogram: Int32Array): Table => {
  const counts = histogram.filter((count) => count > 0)
  const step = Math.floor(counts.slice(0, -1).reduce((sum, count) => sum + count, 0) / 255)
  if (step === 0) return identityTable
  let sum = Math.floor(step / 2)
  return tableOf((value) => {
    const equal = Math.floor(sum / step)
    sum += histogram[value]!
    return Math.min(255, equal)
  })
}
