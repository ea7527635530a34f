/**
 * What batches with boxes and with masks share: which example stands where, and its augmented image. All of
 * it is a function of (seed, epoch, example) alone, as for classifiers.
 */
import { RandomStream } from "../tensor/random.ts"
import { type ColourJitterParams, randomColourFactors } from "./augment/colour-jitter.ts"
import { type Normalization, normalizationTable } from "./augment/normalization.ts"
import { writePlaced } from "./augment/place-image.ts"
import { type Placement, type PlacementParams, randomPlacement } from "./augment/placement.ts"
import type { Images } from "./batches.ts"
import { epochOrder } from "./epoch-order.ts"
import { type Extents, extentOfImage } from "./extents.ts"

export interface DenseBatchesOptions {
  readonly normalization: Normalization
  readonly batchSize: number
  readonly seed: number
  readonly augment: PlacementParams & ColourJitterParams
}

/** An image of a batch: its place there, its number in the dataset, and where it lies in its frame. */
export interface Placed {
  readonly slot: number
  readonly example: number
  readonly placement: Placement
}

/**
 * A function that writes the images of a step to `output` `[batch size, H, W, C]` and says of each how it was
 * placed.
 */
export const placedImages = (
  dataset: Images & Extents,
  { augment, batchSize, normalization, seed }: DenseBatchesOptions
): ((
  position: { readonly epoch: number; readonly step: number },
  output: Float32Array
) => ReadonlyArray<Placed>) => {
  const { channels, height, images, width } = dataset
  const pixelsPerImage = height * width * channels
  const table = normalizationTable(normalization)
  const orderOf = epochOrder(images.length / pixelsPerImage, seed)
  const augmentation = RandomStream.make(seed, "augment")
  return ({ epoch, step }, output) => {
    const order = orderOf(epoch)
    const random = augmentation.derive(epoch)
    return Array.from({ length: batchSize }, (_, slot) => {
      const example = order[step * batchSize + slot]!
      const own = random.derive(example)
      const placement = randomPlacement(own, { ...extentOfImage(dataset, example), height, width }, augment)
      writePlaced({
        output,
        to: slot * pixelsPerImage,
        pixels: images,
        from: example * pixelsPerImage,
        size: dataset,
        placement,
        colour: randomColourFactors(own, augment),
        table
      })
      return { slot, example, placement }
    })
  }
}
