/** The body of `class-balance`. */
import { BlobStore, JobContext, type Stage } from "distillery"
import { blobsOfSplit, decodeLabelledImages, type LabelledSplit } from "distillery/data"
import { Effect } from "effect"
import type { BalanceParams, balanceInputs } from "./class-balance.ts"

interface Tally {
  readonly numImages: number
  readonly numValues: number
  /** Of all values of its pixels. */
  readonly sum: number
}

/** Mean of all pixels, 0 to 1. */
const brightnessOf = ({ numValues, sum }: Tally): number => sum / 255 / Math.max(1, numValues)

/** Class by class. A large split is many blobs, of which one at a time is held. */
const tallySplit = Effect.fn("tallySplit")(function* (split: LabelledSplit, classes: ReadonlyArray<string>) {
  const blobs = yield* BlobStore
  const tallies = classes.map(() => ({ numImages: 0, numValues: 0, sum: 0 }))
  for (const blob of blobsOfSplit(split)) {
    const { images, labels } = yield* decodeLabelledImages(yield* blobs.get(blob))
    const size = images.length / labels.length
    labels.forEach((label, index) => {
      const tally = tallies[label]!
      tally.numImages += 1
      tally.numValues += size
      for (const value of images.subarray(index * size, (index + 1) * size)) tally.sum += value
    })
  }
  return tallies
})

export const run = Effect.fn("class-balance")(function* (args: {
  readonly params: typeof BalanceParams.Type
  readonly inputs: Stage.ValuesOf<typeof balanceInputs>
}) {
  const { classes, test: testSplit, train: trainSplit } = args.inputs.dataset
  const job = yield* JobContext
  const train = yield* tallySplit(trainSplit, classes)
  const test = yield* tallySplit(testSplit, classes)
  const rows = classes.map((name, label) => ({
    name,
    numTrain: train[label]!.numImages,
    numTest: test[label]!.numImages,
    brightness: brightnessOf(train[label]!)
  }))
  for (const { name, numTrain } of rows) {
    if (numTrain < args.params.warnBelow) yield* job.note(`only ${numTrain} images to learn "${name}" from`)
  }
  return { rows }
})
