/** Params to begin with, from how many images there are and how large: minutes on two cores, no more. */
import type { FoundImages } from "./foundImages.ts"

export interface FirstParams {
  /** Pixels of each side of the images that are trained on. */
  readonly size: number
  /** Fraction of the training images that is set aside. */
  readonly validation: number
  /** As it is written in the pipeline. */
  readonly architecture: string
  readonly epochs: number
  readonly batchSize: number
  readonly learningRate: number
}

export const testFraction = 0.2

/** Of a class of which only a few images are for training, none can be spared. */
const numSpared = 10
const validationFraction = 0.1

/** Tried on 3 classes of 100 images (32 px, portable backend): what is learned is learned by then. */
const steps = 400

/** What is left of a class when a part is taken, as splits take it: one at least, but not the last one. */
const left = (count: number, fraction: number): number =>
  count - Math.min(count - 1, Math.max(1, Math.round(count * fraction)))

/** A batch should see several classes, and an epoch have several batches. */
const batchSizes: ReadonlyArray<readonly [numTrainMin: number, batchSize: number]> = [
  [20_000, 128],
  [2_000, 64],
  [64, 16],
  [32, 8],
  [8, 4]
]

const clamped = (value: number, minimum: number, maximum: number): number =>
  Math.min(maximum, Math.max(minimum, value))

/** Small images keep their size; larger ones are brought to 64 pixels, where a small network is quick. */
export const firstParams = ({ classes, side }: FoundImages): FirstParams => {
  const training = classes.map(({ numImages, numTrain }) => numTrain ?? left(numImages, testFraction))
  const validation = Math.min(...training) < numSpared ? 0 : validationFraction
  const trained = validation === 0 ? training : training.map((count) => left(count, validation))
  const numTrain = trained.reduce((sum, count) => sum + count, 0)
  const batchSize = batchSizes.find(([numTrainMin]) => numTrain >= numTrainMin)?.[1] ?? 2
  const isSmall = side !== undefined && side <= 40
  return {
    size: isSmall ? 32 : 64,
    validation,
    architecture: isSmall
      ? '{ family: "resnet-cifar", depth: 8, width: 16 }'
      : '{ family: "resnet", depth: 10, width: 16 }',
    epochs: clamped(5 * Math.ceil(steps / 5 / Math.floor(numTrain / batchSize)), 10, 60),
    batchSize,
    learningRate: batchSize < 64 ? 0.05 : 0.1
  }
}
