/** Params to begin with, from how many images there are and how large: minutes on two cores, no more. */
import type { FoundImages } from "./foundImages.ts"

export interface FirstParams {
  /** Pixels of each side of the images that are trained on. */
  readonly size: number
  /** As it is written in the pipeline. */
  readonly architecture: string
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
}

export const testFraction = 0.2
export const validationFraction = 0.1

/** Tried on 3 classes of 100 images (32 px, portable backend): what is learned is learned by then. */
const steps = 400

const batchSizeFor = (numTrain: number): number => {
  if (numTrain >= 20_000) return 128
  if (numTrain >= 2_000) return 64
  // A batch should see several classes, and an epoch have several batches.
  return numTrain >= 64 ? 16 : numTrain >= 32 ? 8 : 4
}

const clamped = (value: number, minimum: number, maximum: number): number =>
  Math.min(maximum, Math.max(minimum, value))

/** Small images keep their size; larger ones are brought to 64 pixels, where a small network is quick. */
export const firstParams = ({ numTrain, side }: Pick<FoundImages, "numTrain" | "side">): FirstParams => {
  const numTrained = Math.floor(numTrain * (1 - validationFraction))
  const batchSize = batchSizeFor(numTrained)
  const isSmall = side !== undefined && side <= 40
  return {
    size: isSmall ? 32 : 64,
    architecture: isSmall
      ? '{ family: "resnet-cifar", depth: 8, width: 16 }'
      : '{ family: "resnet", depth: 10, width: 16 }',
    epochs: clamped(5 * Math.ceil(steps / 5 / Math.max(1, Math.floor(numTrained / batchSize))), 10, 60),
    batchSize,
    learningRate: batchSize < 64 ? 0.05 : 0.1
  }
}
