/** The body of `class-balance`. */
import { type BlobRef, BlobStore, JobContext, type Stage } from "distillery"
import { decodeLabelledImages, type LabelledImages } from "distillery/data"
import { Effect } from "effect"
import type { BalanceParams, balanceInputs } from "./class-balance.ts"

const countOf = ({ labels }: LabelledImages, label: number): number =>
  labels.filter((one) => one === label).length

/** Mean of all pixels, 0 to 1. */
const brightnessOf = (split: LabelledImages, label: number): number => {
  const size = split.height * split.width * split.channels
  let sum = 0
  split.labels.forEach((one, index) => {
    if (one !== label) return
    for (const value of split.images.subarray(index * size, (index + 1) * size)) sum += value
  })
  return sum / 255 / Math.max(1, countOf(split, label) * size)
}

const readSplit = Effect.fn("readSplit")(function* (tensors: BlobRef) {
  const blobs = yield* BlobStore
  return yield* decodeLabelledImages(yield* blobs.get(tensors))
})

export const run = Effect.fn("class-balance")(function* (args: {
  readonly params: typeof BalanceParams.Type
  readonly inputs: Stage.ValuesOf<typeof balanceInputs>
}) {
  const { dataset } = args.inputs
  const job = yield* JobContext
  const train = yield* readSplit(dataset.train.tensors)
  const test = yield* readSplit(dataset.test.tensors)
  const rows = dataset.classes.map((name, label) => ({
    name,
    numTrain: countOf(train, label),
    numTest: countOf(test, label),
    brightness: brightnessOf(train, label)
  }))
  for (const { name, numTrain } of rows) {
    if (numTrain < args.params.warnBelow) yield* job.note(`only ${numTrain} images to learn "${name}" from`)
  }
  return { rows }
})
