/** An image file as a network was trained to see images. */
import { readFile } from "node:fs/promises"
import { Effect } from "effect"
import { type Extent, fillPadding, fitImage, paddingColour } from "../../lib/data/fit-image.ts"
import { ImageCodec, ImageUnreadable } from "../../lib/data/ImageCodec.ts"
import type { Preprocessing } from "../../stages/artifacts.ts"

export interface PreparedImage {
  readonly file: string
  /** `[H, W, C]` of the network's input, 0…255, not yet normalised. */
  readonly pixels: Uint8Array
  /** What of it is image; the rest is padding. */
  readonly extent: Extent
  /** Of the file's image, in pixels. */
  readonly height: number
  readonly width: number
}

/** Fails with `ImageUnreadable` where there is no image to be had. */
export const readImage = Effect.fn("readImage")(function* (file: string, channels: 1 | 3) {
  const bytes = yield* Effect.tryPromise({
    try: () => readFile(file),
    catch: (error) => {
      const { code, message } = error as NodeJS.ErrnoException
      return new ImageUnreadable({
        image: file,
        reason: code === "ENOENT" ? "there is no such file" : message
      })
    }
  })
  return yield* (yield* ImageCodec).decode(file, bytes, channels)
})

/** As `preprocess` makes them, so that the network meets nothing new. */
export const prepareImage = Effect.fn("prepareImage")(function* (file: string, to: Preprocessing) {
  const image = yield* readImage(file, to.channels)
  const { pixels: fitted, extent } = yield* fitImage(image, to)
  // The codec may give out the pixels it was given.
  const pixels = fitted.slice()
  fillPadding(pixels, Int32Array.of(extent.rows, extent.columns), to, paddingColour(to.mean))
  const { height, width } = image
  return { file, pixels, extent, height, width } satisfies PreparedImage as PreparedImage
})

/** Pixels of images of equal size, one after the other: `[N, H, W, C]`. */
export const joinedPixels = (images: ReadonlyArray<PreparedImage>): Uint8Array => {
  const size = images[0]?.pixels.length ?? 0
  const joined = new Uint8Array(images.length * size)
  for (const [index, { pixels }] of images.entries()) joined.set(pixels, index * size)
  return joined
}
