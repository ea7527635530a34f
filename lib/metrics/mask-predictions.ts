/** The masks a segmenter drew, and how far each agrees with its label. */
import type { MaskedImages } from "../data/masked-images.ts"
import type { MaskPredictions } from "../data/predictions.ts"
import { segmentationQuality } from "./image-quality.ts"

/** `masks` `[N, H, W]`, of the size of the labelled ones. */
export const maskPredictions = (
  { height, masks: labels, width }: Pick<MaskedImages, "height" | "masks" | "width">,
  masks: Uint8Array,
  numClasses: number
): MaskPredictions => {
  const pixels = height * width
  const part = (all: Uint8Array, image: number) => all.subarray(image * pixels, (image + 1) * pixels)
  const quality = Float32Array.from({ length: masks.length / pixels }, (_, image) =>
    segmentationQuality(part(labels, image), part(masks, image), numClasses)
  )
  return { masks, height, width, quality }
}
