/**
 * `ImageCodec` on sharp (libvips); PGM and PPM by our own codec, which costs nothing.
 *
 * Decoded images are 8-bit sRGB or grey: 16-bit values are scaled, CMYK and embedded profiles are converted,
 * EXIF rotation is applied, an alpha channel is dropped. How many threads sharp uses is a setting, made
 * elsewhere: it changes no pixel.
 */
import { Effect, Layer, Result } from "effect"
import sharp, { type OutputInfo } from "sharp"
import { imageKindOf, notAnImage } from "../../lib/data/formats/image-kind.ts"
import { decodeNetpbm } from "../../lib/data/formats/netpbm.ts"
import {
  ImageCodec,
  ImageUnreadable,
  type IndexImage,
  imagePixelsMax,
  type RawImage
} from "../../lib/data/ImageCodec.ts"
import { decodePngIndices, tooManyPixels } from "./pngIndices.ts"

const reasonOf = (cause: unknown): string => {
  const text = cause instanceof Error ? cause.message : String(cause)
  return text.replace(/\s+/g, " ").trim()
}

const attempt = <A>(image: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new ImageUnreadable({ image, reason: reasonOf(cause) })
  })

/** ITU-R BT.601 luma in 16-bit fixed point, rounded: what "grey" means here for an image in colour. */
const toGrey = ({ pixels, height, width }: RawImage): RawImage => {
  const grey = new Uint8Array(height * width)
  for (let i = 0; i < grey.length; i++) {
    grey[i] = (19595 * pixels[3 * i]! + 38470 * pixels[3 * i + 1]! + 7471 * pixels[3 * i + 2]! + 32768) >> 16
  }
  return { pixels: grey, height, width, channels: 1 }
}

const toRgb = ({ pixels, height, width }: RawImage): RawImage => {
  const rgb = new Uint8Array(3 * height * width)
  for (let i = 0; i < pixels.length; i++) rgb.fill(pixels[i]!, 3 * i, 3 * i + 3)
  return { pixels: rgb, height, width, channels: 3 }
}

const withChannels = (image: RawImage, channels: 1 | 3): RawImage =>
  image.channels === channels ? image : channels === 1 ? toGrey(image) : toRgb(image)

const input = (image: RawImage) =>
  sharp(image.pixels, { raw: { width: image.width, height: image.height, channels: image.channels } })

const toRaw = ({ data, info }: { readonly data: Uint8Array; readonly info: OutputInfo }): RawImage => ({
  pixels: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  height: info.height,
  width: info.width,
  channels: info.channels === 1 ? 1 : 3
})

const decodeCompressed = (bytes: Uint8Array): Promise<RawImage> =>
  sharp(bytes, { failOn: "error", limitInputPixels: imagePixelsMax, autoOrient: true })
    .removeAlpha()
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true })
    .then(toRaw)

/** sharp says that an image is too large, but not how large: its header is read again for that. */
const sayingSize = (bytes: Uint8Array, error: ImageUnreadable) =>
  error.reason.includes("exceeds pixel limit")
    ? attempt(error.image, () => sharp(bytes, { limitInputPixels: false }).metadata()).pipe(
        Effect.flatMap(({ height, width }) => {
          const reason = tooManyPixels(height, width) ?? error.reason
          return Effect.fail(new ImageUnreadable({ image: error.image, reason }))
        })
      )
    : Effect.fail(error)

const netpbm = Effect.fnUntraced(function* (name: string, bytes: Uint8Array) {
  const refuse = (reason: string) => new ImageUnreadable({ image: name, reason })
  const image = yield* Effect.fromResult(
    Result.mapError(decodeNetpbm(name, bytes), ({ reason }) => refuse(reason))
  )
  const reason = tooManyPixels(image.height, image.width)
  return reason === undefined ? image : yield* refuse(reason)
})

const decode = (name: string, bytes: Uint8Array, channels: 1 | 3) => {
  const kind = imageKindOf(bytes)
  if (kind === undefined) {
    return Effect.fail(new ImageUnreadable({ image: name, reason: notAnImage(bytes) }))
  }
  const image =
    kind === "netpbm"
      ? netpbm(name, bytes)
      : attempt(name, () => decodeCompressed(bytes)).pipe(Effect.catch((error) => sayingSize(bytes, error)))
  return Effect.map(image, (raw) => withChannels(raw, channels))
}

const decodeIndices = Effect.fnUntraced(function* (
  name: string,
  bytes: Uint8Array
): Effect.fn.Return<IndexImage, ImageUnreadable> {
  const kind = imageKindOf(bytes)
  const refuse = (reason: string) => new ImageUnreadable({ image: name, reason })
  const remedy = "save the class indices as PNG with a palette, or as grey PNG or PGM"
  if (kind === "png") {
    const indices = yield* Effect.promise(() => decodePngIndices(bytes))
    return yield* Effect.fromResult(Result.mapError(indices, (reason) => refuse(reason)))
  }
  if (kind !== "netpbm") {
    return yield* refuse(
      kind === undefined ? notAnImage(bytes) : `it is ${kind}, which keeps no indices: ${remedy}`
    )
  }
  const { channels, height, pixels, width } = yield* netpbm(name, bytes)
  if (channels !== 1) return yield* refuse(`it holds colours, not indices: ${remedy}`)
  return { indices: pixels, height, width }
})

const sizeText = (image: RawImage) => `${image.height} × ${image.width} × ${image.channels} pixels`

const resize = (image: RawImage, height: number, width: number) =>
  image.height === height && image.width === width
    ? Effect.succeed(image)
    : attempt(sizeText(image), () =>
        input(image)
          .resize({ height, width, fit: "fill", kernel: "linear" })
          .toColourspace(image.channels === 1 ? "b-w" : "srgb")
          .raw({ depth: "uchar" })
          .toBuffer({ resolveWithObject: true })
          .then(toRaw)
      )

const encodePng = (image: RawImage) =>
  attempt(sizeText(image), () =>
    input(image)
      .toColourspace(image.channels === 1 ? "b-w" : "srgb")
      .png({ compressionLevel: 9, adaptiveFiltering: false })
      .toBuffer()
      .then((data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  )

export const layer: Layer.Layer<ImageCodec> = Layer.succeed(
  ImageCodec,
  ImageCodec.of({ decode, decodeIndices, resize, encodePng })
)
