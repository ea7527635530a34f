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
     * dropped.
     */
    readonly decode: (
      name: string,
      bytes: Uint8Array,
      channels: 1 | 3
    ) => Effect.Effect<RawImage, ImageUnreadable>
    /** Resizes to exactly `height` × `width` (bilinear with antialiasing when shrinking). */
    readonly resize: (
      image: RawImage,
      height: number,
      width: number
    ) => Effect.Effect<RawImage, ImageUnreadable>
    readonly encodePng: (image: RawImage) => Effect.Effect<Uint8Array, ImageUnreadable>
  }
>()("lib/data/ImageCodec") {}
