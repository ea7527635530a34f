/**
 * A split that is ready to train on ↔ its safetensors bytes: `images` U8 `[N, H, W, C]`, `labels` I32 `[N]`.
 */
import { Effect } from "effect"
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from "../models/safetensors.ts"
import type { LabelledImages } from "./batches.ts"

/** Equal images and labels give equal bytes. */
export const encodeLabelledImages = (split: LabelledImages): Uint8Array<ArrayBuffer> => {
  const { images, labels, height, width, channels } = split
  return encodeSafetensors({
    arrays: {
      images: { shape: [labels.length, height, width, channels], values: images },
      labels: { shape: [labels.length], values: labels }
    },
    metadata: {}
  })
}

/** The labels of a sharded split. */
export const encodeLabels = (labels: Int32Array): Uint8Array<ArrayBuffer> =>
  encodeSafetensors({ arrays: { labels: { shape: [labels.length], values: labels } }, metadata: {} })

/** Fails as {@link decodeLabelledImages} does. */
export const decodeLabels = Effect.fn("decodeLabels")(function* (bytes: Uint8Array) {
  const { labels } = (yield* decodeSafetensors(bytes)).arrays
  if (labels?.values instanceof Int32Array) return labels.values
  return yield* new SafetensorsError({ reason: "it does not hold `labels` [N]" })
})

/** Fails with `SafetensorsError` where the bytes are broken or hold something else. */
export const decodeLabelledImages = Effect.fn("decodeLabelledImages")(function* (bytes: Uint8Array) {
  const { arrays } = yield* decodeSafetensors(bytes)
  const { images, labels } = arrays
  const [numImages, height, width, channels] = images?.shape ?? []
  if (
    !(images?.values instanceof Uint8Array && labels?.values instanceof Int32Array) ||
    images.shape.length !== 4 ||
    labels.values.length !== numImages
  ) {
    return yield* new SafetensorsError({ reason: "it does not hold `images` [N, H, W, C] and `labels` [N]" })
  }
  return {
    images: images.values,
    labels: labels.values,
    height: height!,
    width: width!,
    channels: channels!
  } satisfies LabelledImages
})
