/** Images sheared, moved and turned in their frame, as Pillow's `Image.transform` does it (`Geometry.c`). */
import type { BytesOptions } from "./pixel-ops.ts"

/**
 * The place in the source under one of the target: `[a x + b y + c, d x + e y + f]`, both of pixel
 * centres.
 */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number]

export const shearedAcross = (tangent: number): Affine => [1, tangent, 0, 0, 1, 0]
export const shearedDown = (tangent: number): Affine => [1, 0, 0, tangent, 1, 0]
export const movedRight = (pixels: number): Affine => [1, 0, -pixels, 0, 1, 0]
export const movedDown = (pixels: number): Affine => [1, 0, 0, 0, 1, -pixels]

/** Around the middle, counterclockwise. */
export const turned = (
  degrees: number,
  { height, width }: { readonly height: number; readonly width: number }
): Affine => {
  const angle = (-degrees * Math.PI) / 180
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)]
  const [x, y] = [width / 2, height / 2]
  return [cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y]
}

/** Bilinear; black where nothing of the source lies. Fractions are cut off, as Pillow does. */
export const transform = ({ size, source, target }: BytesOptions, affine: Affine): void => {
  const { channels, height, width } = size
  const [a, b, c, d, e, f] = affine
  const line = width * channels
  target.fill(0)
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at += channels) {
      const x = a * (column + 0.5) + b * (row + 0.5) + c
      const y = d * (column + 0.5) + e * (row + 0.5) + f
      if (x < 0 || x >= width || y < 0 || y >= height) continue
      const [left, top] = [Math.floor(x - 0.5), Math.floor(y - 0.5)]
      const [right, down] = [x - 0.5 - left, y - 0.5 - top]
      const first = Math.max(0, top) * line
      const second = Math.min(height - 1, top + 1) * line
      const [from, to] = [Math.max(0, left) * channels, Math.min(width - 1, left + 1) * channels]
      for (let channel = 0; channel < channels; channel++) {
        const above = between(source[first + from + channel]!, source[first + to + channel]!, right)
        const below = between(source[second + from + channel]!, source[second + to + channel]!, right)
        target[at + channel] = between(above, below, down)
      }
    }
  }
}

const between = (from: number, to: number, share: number): number => from + (to - from) * share
