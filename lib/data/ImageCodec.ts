/**
 * Decoding, resizing and encoding of images; implemented in `infra/images`. Its implementation changes
 * results, so its identity enters the key of every stage that names it in `resultServices`.
 */
import { Context, type Effect, Schema } from "effect"

/** Raw pixels, rows first, channels last: `[H, W, C]`, 0…255. C is 1 (grey) or 3 (RGB). */
export interface RawImage {
  readonly pixels: Uint8Array
  readonly height: number
  readonly width: number
  readonly channels: 1 | 3
}

/** Class indices as a file holds them, rows first: `[H, W]`, 0…255. */
export interface IndexImage {
  readonly indices: Uint8Array
  readonly height: number
  readonly width: number
}

/** Largest image that is decoded, in pixels: a small file can claim a huge one. */
export const imagePixelsMax = 64_000_000

export class ImageUnreadable extends Schema.TaggedError<ImageUnreadable>()("ImageUnreadable", {
  image: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `Image "${this.image}" cannot be read: ${this.reason}`
  }
}

export class ImageCodec extends Context.Service<
  ImageCodec,
  {
    /**
     * Decodes JPEG, PNG, WebP, PGM or PPM to the asked number of channels, EXIF rotation applied, alpha
     * dropped. Refuses more than `imagePixelsMax` pixels before it decodes any.
     */
    readonly decode: (
      name: string,
      bytes: Uint8Array,
      channels: 1 | 3
    ) => Effect.Effect<RawImage, ImageUnreadable>
    /**
     * The values of a palette or grey PNG of 1, 2, 4 or 8 bits, or of a PGM, as they stand in the file: no
     * colours looked up, no grey scaled. Refuses every other image, and more than `imagePixelsMax` pixels.
     */
    readonly decodeIndices: (name: string, bytes: Uint8Array) => Effect.Effect<IndexImage, ImageUnreadable>
    /** Resizes to exactly `height` × `width` (bilinear with antialiasing when shrinking). */
    readonly resize: (
      image: RawImage,
      height: number,
      width: number
    ) => Effect.Effect<RawImage, ImageUnreadable>
    readonly encodePng: (image: RawImage) => Effect.Effect<Uint8Array, ImageUnreadable>
  }
>()("lib/data/ImageCodec") {}
