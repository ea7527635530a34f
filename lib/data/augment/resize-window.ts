/**
 * A part of an image at another size, in float32 and not rounded: bilinear, over a neighbourhood as wide as
 * the shrinking asks for. That is Pillow's `resize` with a `box` and torchvision's `resized_crop` with
 * antialiasing: nothing beyond the part is looked at.
 */
import type { ImageSize } from "./pad-crop-flip.ts"
import type { Window } from "./random-resized-crop.ts"
import { type Taps, tapsOf } from "./taps.ts"

export interface ResizeWindowOptions {
  /** `[height, width, C]`, values 0…255. */
  readonly output: Float32Array
  readonly height: number
  readonly width: number
  /** Holds the image from `from` on, `[H, W, C]`. */
  readonly pixels: Uint8Array
  readonly from: number
  /** Of the image. */
  readonly size: ImageSize
  readonly window: Window
  /** Whether the part is mirrored left to right. */
  readonly flip: boolean
}

export const resizeWindow = (options: ResizeWindowOptions): void => {
  const { flip, from, height, output, pixels, size, width, window } = options
  const { channels } = size
  const rows = tapsOf({ length: window.rows, flip: false, scale: height / window.rows, offset: 0 }, height)
  const columns = tapsOf({ length: window.columns, flip, scale: width / window.columns, offset: 0 }, width)
  // The last source rows, resampled; each in the place `its number % count`.
  const ring = Array.from({ length: rows.count }, () => new Float32Array(width * channels))
  const resampleRow = channels === 3 ? resampleColourRow : resampleGreyRow
  let known = 0
  for (let row = 0; row < height; row++) {
    const first = rows.first[row]!
    for (known = Math.max(known, first); known < first + rows.count; known++) {
      const start = from + ((window.top + known) * size.width + window.left) * channels
      resampleRow(ring[known % rows.count]!, pixels, start, columns)
    }
    blendRows(output.subarray(row * width * channels, (row + 1) * width * channels), ring, rows, row)
  }
}

/** Adds the taps in the order of the source, as the other channels' loops do. */
const resampleColourRow = (output: Float32Array, pixels: Uint8Array, from: number, taps: Taps): void => {
  const { count, first, weights } = taps
  for (let index = 0, weightAt = 0; index < first.length; index++) {
    let [red, green, blue] = [0, 0, 0]
    for (let at = from + first[index]! * 3, end = at + count * 3; at < end; at += 3, weightAt++) {
      const weight = weights[weightAt]!
      red += weight * pixels[at]!
      green += weight * pixels[at + 1]!
      blue += weight * pixels[at + 2]!
    }
    output[index * 3] = red
    output[index * 3 + 1] = green
    output[index * 3 + 2] = blue
  }
}

const resampleGreyRow = (output: Float32Array, pixels: Uint8Array, from: number, taps: Taps): void => {
  const { count, first, weights } = taps
  for (let index = 0, weightAt = 0; index < first.length; index++) {
    let sum = 0
    for (let at = from + first[index]!, end = at + count; at < end; at++, weightAt++) {
      sum += weights[weightAt]! * pixels[at]!
    }
    output[index] = sum
  }
}

const blendRows = (
  line: Float32Array,
  ring: ReadonlyArray<Float32Array>,
  { count, first, weights }: Taps,
  row: number
): void => {
  for (let tap = 0; tap < count; tap++) {
    const source = ring[(first[row]! + tap) % count]!
    const weight = weights[row * count + tap]!
    if (tap === 0) for (let at = 0; at < line.length; at++) line[at] = weight * source[at]!
    else if (weight !== 0)
      for (let at = 0; at < line.length; at++) line[at] = line[at]! + weight * source[at]!
  }
}
