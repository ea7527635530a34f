/** Splits that `preprocess` holds until they are written, as one blob each. */
import { Effect } from "effect"
import type { Normalization } from "./augment/normalization.ts"
import { imageStatistics } from "./channel-statistics.ts"
import { DatasetInvalid } from "./DatasetInvalid.ts"
import { imageBytes, type Target } from "./fit-image.ts"
import { PreparedImages } from "./PreparedImages.ts"
import { capacityOf, type Reading, readExamples } from "./read-examples.ts"
import type { ShardImage } from "./shards.ts"
import { stratifiedSplit } from "./stratified-split.ts"

/** A split with boxes or masks is held until it is written: 64 GiB are more than most machines have. */
const heldBytesMax = 2 ** 36

const checkFits = (name: string, count: number, target: Target) => {
  const sizeBytes = count * imageBytes(target)
  if (sizeBytes <= heldBytesMax) return Effect.void
  const gigabytes = (sizeBytes / 1e9).toFixed(0)
  const reason =
    `its ${count} images take ${gigabytes} GB at ${target.height} × ${target.width}, and where they have ` +
    "boxes or masks all of them are held in memory: set `limit`, or a smaller size"
  return Effect.fail(new DatasetInvalid({ dataset: `split "${name}"`, reason }))
}

/** A split in the order of its images. */
export const inMemory = Effect.fnUntraced(function* <X extends ShardImage, A, E>(reading: Reading<X, A, E>) {
  const { limit, name, split, target } = reading
  const capacity = capacityOf(split, limit)
  yield* checkFits(name, capacity, target)
  const prepared = new PreparedImages<A>(capacity, target)
  const quarantined = yield* readExamples(reading, (example) => Effect.sync(() => prepared.add(example)))
  return { split: prepared, quarantined }
})

/** The fraction `validation` is cut off; the rest is measured unless params say by what to normalise. */
export const trainInMemory = Effect.fnUntraced(function* <X extends ShardImage, A, E>(
  reading: Reading<X, A, E>,
  { given, validation }: { readonly given: Normalization | undefined; readonly validation: number }
) {
  const { labelOf = () => 0 } = reading.data
  const { quarantined, split } = yield* inMemory(reading)
  const { kept, taken } = stratifiedSplit(split.about.map(labelOf), validation, reading.seed)
  const train = validation === 0 ? split : split.pick(kept)
  const { images, extents } = train
  return {
    train,
    validation: validation === 0 ? undefined : split.pick(taken),
    statistics: given ?? imageStatistics({ images, ...reading.target }, extents),
    quarantined
  }
})
