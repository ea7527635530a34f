/**
 * An image into the frame a network sees: resampled, coloured and normalised in one go. Beyond the image the
 * frame is 0 *after* normalisation (the mean colour).
 */
import { type ColourFactors, isUnchanged, type LinearColour, linearColour } from "./colour-jitter.ts"
import type { ImageSize } from "./pad-crop-flip.ts"
import { horizontalAxis, isInPlace, type Placement, verticalAxis } from "./placement.ts"
import { resampleRow, type Taps, tapsOf } from "./taps.ts"

export interface PlacedImageOptions {
  readonly output: Float32Array
  readonly to: number
  /** Holds the image from `from` on, `[H, W, C]`. */
  readonly pixels: Uint8Array
  readonly from: number
  /** Of the source and of the frame. */
  readonly size: ImageSize
  readonly placement: Placement
  readonly colour: ColourFactors
  /** See normalizationTable. */
  readonly table: Float32Array
}

/**
 * Writes one image to `output` at `to`. An image that stays in place and keeps its colours is copied,
 * mirrored if so placed, with its padding as it is: exactly as an evaluation sees it. Otherwise pixels are
 * interpolated bilinearly, over a wider neighbourhood where the image shrinks, so that fine patterns blur and
 * do not flicker.
 */
export const writePlaced = (options: PlacedImageOptions): void => {
  if (isInPlace(options.placement) && isUnchanged(options.colour)) writeInPlace(options)
  else writeResampled(options)
}

const writeInPlace = (options: PlacedImageOptions): void => {
  const { from, placement, size, to } = options
  const { columns, flip, flipVertical, rows } = placement
  const { channels, height, width } = size
  for (let row = 0; row < height; row++) {
    const isImage = row < rows
    const sourceRow = isImage && flipVertical ? rows - 1 - row : row
    const image = isImage ? columns : 0
    const start = from + sourceRow * width * channels
    const target = to + row * width * channels
    const [first, step] = flip ? [start + (image - 1) * channels, -channels] : [start, channels]
    normalizeRun(options, { first, step, target, count: image })
    const padding = (row * width + image) * channels
    normalizeRun(options, {
      first: from + padding,
      step: channels,
      target: to + padding,
      count: width - image
    })
  }
}

/** `count` pixels that lie `step` values apart, to as many side by side. */
interface Run {
  readonly first: number
  readonly step: number
  readonly target: number
  readonly count: number
}

const normalizeRun = (
  { output, pixels, size, table }: PlacedImageOptions,
  { count, first, step, target }: Run
): void => {
  const { channels } = size
  for (let pixel = 0; pixel < count; pixel++) {
    const read = first + pixel * step
    const write = target + pixel * channels
    for (let channel = 0; channel < channels; channel++) {
      output[write + channel] = table[channel * 256 + pixels[read + channel]!]!
    }
  }
}

const writeResampled = (options: PlacedImageOptions): void => {
  const { from, output, pixels, placement, size, to } = options
  const { channels, height, width } = size
  const rows = tapsOf(verticalAxis(placement), height)
  const columns = tapsOf(horizontalAxis(placement), width)
  output.fill(0, to, to + height * width * channels)
  const lineLength = (columns.end - columns.begin) * channels
  // The source rows that the current row of the frame is made of, each in the place `its number % count`.
  const ring = Array.from({ length: rows.count }, () => new Float32Array(lineLength))
  const line = new Float32Array(lineLength)
  const finish = lineFinisher(options)
  let known = 0
  for (let index = 0; index < rows.end - rows.begin; index++) {
    // In the order of the source, so that each of its rows is resampled once.
    const row = placement.flipVertical ? rows.end - 1 - index : rows.begin + index
    const first = rows.first[row - rows.begin]!
    for (known = Math.max(known, first); known < first + rows.count; known++) {
      resampleRow({
        output: ring[known % rows.count]!,
        pixels,
        from: from + known * width * channels,
        channels,
        taps: columns
      })
    }
    blendRows(line, ring, rows, row - rows.begin)
    finish(line, output, to + (row * width + columns.begin) * channels)
  }
}

const blendRows = (
  line: Float32Array,
  ring: ReadonlyArray<Float32Array>,
  { count, first, weights }: Taps,
  index: number
): void => {
  for (let tap = 0; tap < count; tap++) {
    const source = ring[(first[index]! + tap) % count]!
    const weight = weights[index * count + tap]!
    if (tap === 0) for (let at = 0; at < line.length; at++) line[at] = weight * source[at]!
    else if (weight !== 0)
      for (let at = 0; at < line.length; at++) line[at] = line[at]! + weight * source[at]!
  }
}

type FinishLine = (line: Float32Array, output: Float32Array, to: number) => void

/** From pixel values to what the network reads. */
const lineFinisher = (options: PlacedImageOptions): FinishLine => {
  const { colour, placement, size, table } = options
  // The table is a straight line in each channel: its ends say all.
  const shifts = Float64Array.from({ length: size.channels }, (_, channel) => table[channel * 256]!)
  const slopes = shifts.map((shift, channel) => (table[channel * 256 + 255]! - shift) / 255)
  if (isUnchanged(colour)) return (line, output, to) => normalizeLine(line, output, to, shifts, slopes)
  const { columns, rows } = placement
  const linear = linearColour({ ...options, factors: colour, rows, columns })
  return (line, output, to) => {
    recolourLine(line, linear)
    normalizeLine(line, output, to, shifts, slopes)
  }
}

const normalizeLine = (
  line: Float32Array,
  output: Float32Array,
  to: number,
  shifts: Float64Array,
  slopes: Float64Array
): void => {
  for (let channel = 0; channel < shifts.length; channel++) {
    const [shift, slope] = [shifts[channel]!, slopes[channel]!]
    for (let at = channel; at < line.length; at += shifts.length) output[to + at] = line[at]! * slope + shift
  }
}

const recolourLine = (line: Float32Array, { grey, greyWeights, offset, own }: LinearColour): void => {
  const channels = greyWeights.length
  for (let at = 0; at < line.length; at += channels) {
    let base = 0
    for (let channel = 0; channel < channels; channel++) base += greyWeights[channel]! * line[at + channel]!
    base = grey * base + offset
    for (let channel = 0; channel < channels; channel++) {
      const value = own * line[at + channel]! + base
      line[at + channel] = value < 0 ? 0 : value > 255 ? 255 : value
    }
  }
}
