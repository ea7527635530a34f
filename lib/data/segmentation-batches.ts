/** Batches for a segmenter: augmented images and the class of every pixel. */
import { writePlacedMask } from "./augment/place-mask.ts"
import type { TrainingBatches } from "./batches.ts"
import { type DenseBatchesOptions, placedImages } from "./dense-batches.ts"
import type { MaskedImages } from "./masked-images.ts"

export interface SegmentationBatchesOptions extends DenseBatchesOptions {
  readonly dataset: MaskedImages
}

/**
 * Shuffled batches of `images` `[N, H, W, C]` and `labels` `[N, H, W]` (`ignored` where the mask is, and
 * where there is no image). The last partial batch of an epoch is dropped.
 */
export const segmentationBatches = (
  options: SegmentationBatchesOptions
): TrainingBatches<"images" | "labels"> => {
  const { batchSize, dataset } = options
  const { channels, height, masks, width } = dataset
  const pixels = height * width
  const placeImages = placedImages(dataset, options)
  return {
    batchSize,
    numExamples: masks.length / pixels,
    stepsPerEpoch: Math.floor(masks.length / pixels / batchSize),
    inputs: {
      images: { shape: [batchSize, height, width, channels], dtype: "float32" },
      labels: { shape: [batchSize, height, width], dtype: "int32" }
    },
    fill: (position, feeds) => {
      for (const { example, placement, slot } of placeImages(position, feeds.images as Float32Array)) {
        writePlacedMask({
          output: feeds.labels as Int32Array,
          to: slot * pixels,
          masks,
          from: example * pixels,
          size: dataset,
          placement
        })
      }
    }
  }
}
