/**
 * One example as training wants it: its image at the target's size, and its label, boxes or mask moved along.
 * Fails with the reason where image and annotation cannot both be right: nothing is guessed.
 */
import { Effect } from "effect"
import { clipBoxes } from "../boxes/iou.ts"
import { FormatInvalid } from "./FormatInvalid.ts"
import { type Extent, type FittedImage, fitImage, type Target } from "./fit-image.ts"
import { ImageCodec } from "./ImageCodec.ts"
import { ignored } from "./masked-images.ts"
import type { BoxedImage, LabelledImage, MaskedImage, ShardImage } from "./shards.ts"

/** What is known of an image, in the pixels of the target. */
export interface PreparedBoxes {
  /** The image's file, for messages. */
  readonly file: string
  /** `[B, 4]` */
  readonly boxes: Float32Array
  readonly classes: ReadonlyArray<number>
  readonly difficult: ReadonlyArray<boolean>
  /** Boxes that reached beyond the image. */
  readonly numClipped: number
  /** Boxes of which nothing was left. */
  readonly numDropped: number
}

export interface Prepared<A> extends FittedImage {
  readonly about: A
}

const decode = Effect.fnUntraced(function* ({ bytes, name, origin }: ShardImage, { channels }: Target) {
  return yield* (yield* ImageCodec).decode(origin ?? name, bytes, channels)
})

export const prepareLabelled = Effect.fnUntraced(function* (example: LabelledImage, target: Target) {
  const fitted = yield* fitImage(yield* decode(example, target), target)
  return { ...fitted, about: example.label } satisfies Prepared<number>
})

/**
 * A box has to be larger than so many pixels of the image as it came: VOC's way of counting gives one to a
 * box whose corners are the same. How small it gets in the target does not matter, or models prepared at
 * different sizes would be scored on different boxes.
 */
const tooSmall = 1

export const prepareBoxed = Effect.fnUntraced(function* (
  { annotation, ...example }: BoxedImage,
  target: Target
) {
  const image = yield* decode(example, target)
  const { height, width } = annotation
  if (height > 0 && width > 0 && (height !== image.height || width !== image.width)) {
    const reason =
      `its annotation is for ${height} × ${width} pixels (rows × columns), ` +
      `the image has ${image.height} × ${image.width}`
    return yield* new FormatInvalid({ file: example.name, format: "boxes", reason })
  }
  const fitted = yield* fitImage(image, target)
  const about = { file: example.origin ?? example.name, ...movedBoxes(annotation, image, fitted.extent) }
  return { ...fitted, about } satisfies Prepared<PreparedBoxes>
})

const movedBoxes = (
  { boxes }: BoxedImage["annotation"],
  image: { readonly height: number; readonly width: number },
  { columns, rows }: Extent
): Omit<PreparedBoxes, "file"> => {
  const [scaleY, scaleX] = [rows / image.height, columns / image.width]
  const moved = boxes.map((stated) => {
    const own = Float32Array.from(stated.box)
    const clipped = clipBoxes(own, image.height, image.width)
    const [y1, x1, y2, x2] = clipped
    const isLeft = y2! - y1! > tooSmall && x2! - x1! > tooSmall
    const isClipped = clipped.some((value, index) => value !== own[index])
    const corners = Array.from(clipped, (value, index) => value * (index % 2 === 0 ? scaleY : scaleX))
    return { ...stated, corners, isLeft, isClipped }
  })
  const left = moved.filter(({ isLeft }) => isLeft)
  return {
    boxes: Float32Array.from(left.flatMap(({ corners }) => corners)),
    classes: left.map(({ classIndex }) => classIndex),
    difficult: left.map(({ difficult }) => difficult),
    numClipped: left.filter(({ isClipped }) => isClipped).length,
    numDropped: moved.length - left.length
  }
}

export interface MaskTarget extends Target {
  readonly numClasses: number
  /** The value of pixels nobody labelled; null: there is none. */
  readonly ignoreIndex: number | null
}

/** The mask is `[H, W]`, by nearest neighbour only; {@link ignored} where nobody says, and as padding. */
export const prepareMasked = Effect.fnUntraced(function* (
  { mask, ...example }: MaskedImage,
  target: MaskTarget
) {
  const image = yield* decode(example, target)
  const refuse = (reason: string) => new FormatInvalid({ file: example.name, format: "mask", reason })
  const raw = yield* (yield* ImageCodec)
    .decodeIndices(mask.name, mask.bytes)
    .pipe(Effect.mapError(({ reason }) => refuse(`its mask cannot be read: ${reason}`)))
  if (raw.height !== image.height || raw.width !== image.width) {
    return yield* refuse(
      `its mask has ${raw.height} × ${raw.width} pixels (rows × columns), ` +
        `the image ${image.height} × ${image.width}`
    )
  }
  const { ignoreIndex, numClasses } = target
  const unknown = raw.indices.find((index) => index >= numClasses && index !== ignoreIndex)
  if (unknown !== undefined) {
    const ignoring = ignoreIndex === null ? "" : `, ignored is ${ignoreIndex}`
    const known = `classes are 0 to ${numClasses - 1}${ignoring}`
    return yield* refuse(`its mask has index ${unknown}, which is no class (${known})`)
  }
  const fitted = yield* fitImage(image, target)
  return { ...fitted, about: movedMask(raw, fitted.extent, target) } satisfies Prepared<Uint8Array>
})

const movedMask = (
  raw: { readonly indices: Uint8Array; readonly height: number; readonly width: number },
  { columns, rows }: Extent,
  { height, ignoreIndex, width }: MaskTarget
): Uint8Array => {
  const moved = new Uint8Array(height * width).fill(ignored)
  // The source pixel under the middle of each target pixel.
  const under = (at: number, extent: number, pixels: number) => Math.floor(((at + 0.5) * pixels) / extent)
  for (let row = 0; row < rows; row++) {
    const from = under(row, rows, raw.height) * raw.width
    for (let column = 0; column < columns; column++) {
      const index = raw.indices[from + under(column, columns, raw.width)]!
      moved[row * width + column] = index === ignoreIndex ? ignored : index
    }
  }
  return moved
}
