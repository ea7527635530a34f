/**
 * A detection split that is ready to train on ↔ its safetensors bytes. The boxes of all images stand in one
 * list; `offsets` says whose they are.
 */
import { Effect } from "effect"
import {
  decodeSafetensors,
  encodeSafetensors,
  type NamedArray,
  SafetensorsError
} from "../models/safetensors.ts"
import type { Images } from "./batches.ts"
import { areInside, type Extents } from "./extents.ts"

export interface BoxedImages extends Images, Extents {
  /** `[B, 4]`: `[y1, x1, y2, x2]` in pixels of the prepared image. */
  readonly boxes: Float32Array
  /** `[B]` */
  readonly classes: Int32Array
  /** `[B]`, 1 where neither a loss nor a metric asks for the box. */
  readonly difficult: Uint8Array
  /** `[N + 1]`: the boxes of image `n` are those from `offsets[n]` up to, not including, `offsets[n + 1]`. */
  readonly offsets: Int32Array
}

/** The boxes of one image; views of the split's arrays. */
export interface ImageBoxes {
  /** `[B, 4]` */
  readonly boxes: Float32Array
  /** `[B]` */
  readonly classes: Int32Array
  /** `[B]` */
  readonly difficult: Uint8Array
}

export const boxesOfImage = (split: BoxedImages, image: number): ImageBoxes => {
  const [from, to] = [split.offsets[image]!, split.offsets[image + 1]!]
  return {
    boxes: split.boxes.subarray(from * 4, to * 4),
    classes: split.classes.subarray(from, to),
    difficult: split.difficult.subarray(from, to)
  }
}

/** Equal splits give equal bytes. */
export const encodeBoxedImages = (split: BoxedImages): Uint8Array<ArrayBuffer> => {
  const { boxes, channels, classes, difficult, extents, height, images, offsets, width } = split
  const numImages = offsets.length - 1
  return encodeSafetensors({
    arrays: {
      images: { shape: [numImages, height, width, channels], values: images },
      boxes: { shape: [classes.length, 4], values: boxes },
      classes: { shape: [classes.length], values: classes },
      difficult: { shape: [classes.length], values: difficult },
      offsets: { shape: [offsets.length], values: offsets },
      extents: { shape: [numImages, 2], values: extents }
    },
    metadata: {}
  })
}

/** Fails with `SafetensorsError` where the bytes are broken or hold something else. */
export const decodeBoxedImages = Effect.fn("decodeBoxedImages")(function* (bytes: Uint8Array) {
  const { boxes, classes, difficult, extents, images, offsets } = (yield* decodeSafetensors(bytes)).arrays
  if (!(images?.values instanceof Uint8Array && images.shape.length === 4)) {
    return yield* refuse("it does not hold `images` [N, H, W, C]")
  }
  const [numImages, height, width, channels] = images.shape as [number, number, number, number]
  if (!(offsets?.values instanceof Int32Array && hasShape(offsets, [numImages + 1]))) {
    return yield* refuse("it does not hold `offsets` [N + 1] as many as `images`")
  }
  if (!(classes?.values instanceof Int32Array && classes.shape.length === 1)) {
    return yield* refuse("it does not hold `classes` [B]")
  }
  const numBoxes = classes.values.length
  if (!(boxes?.values instanceof Float32Array && hasShape(boxes, [numBoxes, 4]))) {
    return yield* refuse("it does not hold `boxes` [B, 4] as many as `classes`")
  }
  if (!(difficult?.values instanceof Uint8Array && hasShape(difficult, [numBoxes]))) {
    return yield* refuse("it does not hold `difficult` [B] as many as `classes`")
  }
  if (!(extents?.values instanceof Int32Array && hasShape(extents, [numImages, 2]))) {
    return yield* refuse("it does not hold `extents` [N, 2] as many as `images`")
  }
  if (!leadThrough(offsets.values, numBoxes)) {
    return yield* refuse("`offsets` do not lead from the first box to the last in order")
  }
  if (!areInside(extents.values, height, width)) {
    return yield* refuse(`\`extents\` reach beyond images of ${height}x${width} pixels`)
  }
  return {
    images: images.values,
    height,
    width,
    channels,
    boxes: boxes.values,
    classes: classes.values,
    difficult: difficult.values,
    offsets: offsets.values,
    extents: extents.values
  } satisfies BoxedImages
})

const hasShape = ({ shape }: NamedArray, expected: ReadonlyArray<number>): boolean =>
  shape.length === expected.length && shape.every((extent, axis) => extent === expected[axis])

const leadThrough = (offsets: Int32Array, count: number): boolean =>
  offsets[0] === 0 &&
  offsets[offsets.length - 1] === count &&
  offsets.every((offset, index) => index === 0 || offset >= offsets[index - 1]!)

const refuse = (reason: string) => new SafetensorsError({ reason })
