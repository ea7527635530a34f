/**
 * Images of any size to one size: stretched, or with their aspect kept, filled up at bottom and right or cut
 * to the middle.
 */
import { Effect } from "effect"
import type { CenterCrop, Fit } from "./Fit.ts"
import { ImageCodec, type RawImage } from "./ImageCodec.ts"
import { resample, type Span } from "./resample.ts"

export interface Target {
  readonly height: number
  readonly width: number
  readonly channels: 1 | 3
  readonly fit: Fit
}

/** Raw, of one image. */
export const imageBytes = ({ channels, height, width }: Omit<Target, "fit">): number =>
  height * width * channels

/** So many rows and columns, from the top left, are image; the rest is padding. */
export interface Extent {
  readonly rows: number
  readonly columns: number
}

/** The size an image of `height` × `width` pixels gets inside of the target. */
export const extentOf = (
  image: { readonly height: number; readonly width: number },
  target: Pick<Target, "height" | "width" | "fit">
): Extent => {
  if (target.fit !== "pad") return { rows: target.height, columns: target.width }
  const scale = Math.min(target.height / image.height, target.width / image.width)
  const fitted = (pixels: number, most: number) => Math.min(most, Math.max(1, Math.round(pixels * scale)))
  return { rows: fitted(image.height, target.height), columns: fitted(image.width, target.width) }
}

export interface FittedImage {
  /** `[H, W, C]` of the target; padding is 0. */
  readonly pixels: Uint8Array
  readonly extent: Extent
}

/** torchvision's `Resize`: the longer side, too, is a whole number of pixels, what is over is dropped. */
export const scaledSize = (
  { height, width }: Pick<RawImage, "height" | "width">,
  shorterSide: number
): Pick<RawImage, "height" | "width"> =>
  width <= height
    ? { height: Math.trunc((shorterSide * height) / width), width: shorterSide }
    : { height: shorterSide, width: Math.trunc((shorterSide * width) / height) }

/** Of two whole numbers equally near the even one, as Python's `round`. */
const roundToEven = (value: number): number => {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}

/** torchvision's `CenterCrop` along one side. */
const middle = (pixels: number, length: number): Span => ({
  begin: roundToEven((pixels - length) / 2),
  length
})

const centerCrop = (image: RawImage, { resampler, shorterSide }: CenterCrop, target: Target): RawImage => {
  const size = scaledSize(image, shorterSide)
  return resample(image, {
    resampler,
    ...size,
    rows: middle(size.height, target.height),
    columns: middle(size.width, target.width)
  })
}

/**
 * As the target's `fit` says. What is stretched or padded is resized by the codec (bilinear, antialiased) to
 * the extent, and laid into the target's top left corner.
 */
export const fitImage = Effect.fnUntraced(function* (image: RawImage, target: Target) {
  const { channels, fit, height, width } = target
  if (typeof fit === "object") {
    const { pixels } = centerCrop(image, fit, target)
    return { pixels, extent: { rows: height, columns: width } } satisfies FittedImage
  }
  const extent = extentOf(image, target)
  const { pixels } = yield* (yield* ImageCodec).resize(image, extent.rows, extent.columns)
  if (extent.rows === height && extent.columns === width) return { pixels, extent } satisfies FittedImage
  const padded = new Uint8Array(height * width * channels)
  const bytesPerRow = extent.columns * channels
  for (let row = 0; row < extent.rows; row++) {
    padded.set(pixels.subarray(row * bytesPerRow, (row + 1) * bytesPerRow), row * width * channels)
  }
  return { pixels: padded, extent } satisfies FittedImage
})

/**
 * Fills the padding of images `[N, H, W, C]` with one colour, in place: the mean one, which normalisation
 * turns into (nearly) 0. `extents` is `[N, 2]`.
 */
export const fillPadding = (
  images: Uint8Array,
  extents: Int32Array,
  { channels, height, width }: Pick<Target, "height" | "width" | "channels">,
  colour: ReadonlyArray<number>
): void => {
  for (let image = 0; image < extents.length / 2; image++) {
    const [rows, columns] = [extents[image * 2]!, extents[image * 2 + 1]!]
    if (rows === height && columns === width) continue
    const start = image * height * width * channels
    for (let pixel = 0; pixel < height * width; pixel++) {
      if (Math.floor(pixel / width) < rows && pixel % width < columns) continue
      images.set(colour, start + pixel * channels)
    }
  }
}

/** The colour of padding: the mean of the training images. `mean` is in units of pixel / 255. */
export const paddingColour = (mean: ReadonlyArray<number>): ReadonlyArray<number> =>
  mean.map((value) => Math.round(255 * value))
