/**
 * A segmentation split that is ready to train on ↔ its safetensors bytes: `images` U8 `[N, H, W, C]`, `masks`
 * U8 `[N, H, W]`, `extents` I32 `[N, 2]`.
 */
import { Effect } from "effect"
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from "../models/safetensors.ts"
import type { Images } from "./batches.ts"
import { areInside, type Extents } from "./extents.ts"

/** A mask's value where nobody says what the pixel is, and where there is no image: no loss, no metric. */
export const ignored = 255

export interface MaskedImages extends Images, Extents {
  /** `[N, H, W]`: the class of every pixel, or {@link ignored}. */
  readonly masks: Uint8Array
}

/** Equal images and masks give equal bytes. */
export const encodeMaskedImages = (split: MaskedImages): Uint8Array<ArrayBuffer> => {
  const { channels, extents, height, images, masks, width } = split
  const numImages = masks.length / (height * width)
  return encodeSafetensors({
    arrays: {
      images: { shape: [numImages, height, width, channels], values: images },
      masks: { shape: [numImages, height, width], values: masks },
      extents: { shape: [numImages, 2], values: extents }
    },
    metadata: {}
  })
}

/** Fails with `SafetensorsError` where the bytes are broken or hold something else. */
export const decodeMaskedImages = Effect.fn("decodeMaskedImages")(function* (bytes: Uint8Array) {
  const { extents, images, masks } = (yield* decodeSafetensors(bytes)).arrays
  const [, height, width, channels] = images?.shape ?? []
  if (
    !(images?.values instanceof Uint8Array && masks?.values instanceof Uint8Array) ||
    images.shape.length !== 4 ||
    masks.shape.length !== 3 ||
    masks.shape.some((extent, axis) => extent !== images.shape[axis])
  ) {
    return yield* new SafetensorsError({
      reason: "it does not hold `images` [N, H, W, C] and `masks` [N, H, W] of the same N, H and W"
    })
  }
  if (
    !(extents?.values instanceof Int32Array) ||
    extents.shape.length !== 2 ||
    extents.shape[0] !== images.shape[0] ||
    extents.shape[1] !== 2
  ) {
    return yield* new SafetensorsError({
      reason: "it does not hold `extents` [N, 2] as many as `images`"
    })
  }
  if (!areInside(extents.values, height!, width!)) {
    return yield* new SafetensorsError({
      reason: `\`extents\` reach beyond images of ${height}x${width} pixels`
    })
  }
  return {
    images: images.values,
    masks: masks.values,
    extents: extents.values,
    height: height!,
    width: width!,
    channels: channels!
  } satisfies MaskedImages
})
