/** Images of a test split as pictures in a page: cut out, not larger than is seen, as PNG in base64. */
import { Effect } from "effect"
import { encode as encodeBase64 } from "effect/encoding/Base64"
import type { Images, LabelledImages } from "../data/batches.ts"
import { ImageCodec, type ImageUnreadable, type RawImage } from "../data/ImageCodec.ts"
import type { ImagesError, ShardedImages } from "../data/ShardedImages.ts"

/** The longer side of a picture in pixels, at most: what a page of many of them can hold. */
const sideMax = 288

/** Smaller ones are enlarged by the page so much that each of their pixels is to be seen as what it is. */
const pixelatedSideMax = 144

/** The page enlarges small ones; how, is said by {@link renderingOf}. */
export interface Picture {
  readonly pngBase64: string
  /** Of the image before it was made smaller, in pixels: what boxes on it are measured in. */
  readonly height: number
  readonly width: number
}

/** One image; `extent` leaves off the padding at the bottom and the right. */
export const imageAt = (
  { images, height, width, channels }: Images,
  index: number,
  [rows, columns]: readonly [rows: number, columns: number] = [height, width]
): RawImage => {
  const size = height * width * channels
  const whole = images.subarray(index * size, (index + 1) * size)
  const pixels = new Uint8Array(rows * columns * channels)
  for (let y = 0; y < rows; y++) {
    const from = y * width * channels
    pixels.set(whole.subarray(from, from + columns * channels), y * columns * channels)
  }
  return { pixels, height: rows, width: columns, channels: channels === 1 ? 1 : 3 }
}

/** The images of a split that have these numbers, each by its number; of shards only those are read. */
export const imagesAt = (
  images: LabelledImages | ShardedImages,
  indices: ReadonlyArray<number>
): Effect.Effect<(index: number) => RawImage, ImagesError> =>
  "images" in images
    ? Effect.succeed((index) => imageAt(images, index))
    : Effect.map(images.copyOf(indices), (copied) => {
        const slots = new Map(indices.map((index, slot) => [index, slot]))
        return (index) => imageAt(copied, slots.get(index)!)
      })

export const pictureOf = Effect.fnUntraced(function* (
  image: RawImage
): Effect.fn.Return<Picture, ImageUnreadable, ImageCodec> {
  const codec = yield* ImageCodec
  const { height, width } = image
  const scale = Math.min(1, sideMax / Math.max(height, width))
  const side = (pixels: number): number => Math.max(1, Math.round(pixels * scale))
  const bounded = yield* codec.resize(image, side(height), side(width))
  return { pngBase64: encodeBase64(yield* codec.encodePng(bounded)), height, width }
})

/** The style of the element that shows it. */
export const renderingOf = ({ height, width }: Picture): string =>
  Math.max(height, width) <= pixelatedSideMax ? ' style="image-rendering:pixelated"' : ""
