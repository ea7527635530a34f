/** The body of `preprocess`: the tasks differ in how one example is prepared and how a split is written. */
import { Effect, Result } from "effect"
import { encodeBoxedImages } from "../lib/data/boxed-images.ts"
import { imageStatistics } from "../lib/data/channel-statistics.ts"
import { DatasetInvalid } from "../lib/data/DatasetInvalid.ts"
import { paddingColour, type Target } from "../lib/data/fit-image.ts"
import type { ImageCodec } from "../lib/data/ImageCodec.ts"
import { encodeLabelledImages } from "../lib/data/labelled-images.ts"
import { limitExamples } from "../lib/data/limit-examples.ts"
import { encodeMaskedImages } from "../lib/data/masked-images.ts"
import { boxedOf, labelledOf, maskedOf, PreparedImages } from "../lib/data/PreparedImages.ts"
import {
  type Prepared,
  type PreparedBoxes,
  prepareBoxed,
  prepareLabelled,
  prepareMasked
} from "../lib/data/prepare-example.ts"
import { checkSetAside } from "../lib/data/set-aside.ts"
import { readBoxShard, readMaskShard, readShard, type ShardImage } from "../lib/data/shards.ts"
import { stratifiedSplit } from "../lib/data/stratified-split.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ImageDatasetValue, PreparedDatasetValue, Shard, Split, TaskName } from "./artifacts.ts"
import { givenNormalization, type PreprocessParams } from "./preprocess.ts"

type Params = typeof PreprocessParams.Type
type Quarantine = ImageDatasetValue["quarantined"]

/** What one task does with a split: `X` is an example as it was ingested, `A` what is known of its image. */
interface TaskData<X extends ShardImage, A, E> {
  readonly read: (shard: Shard, bytes: Uint8Array) => Effect.Effect<ReadonlyArray<X>, E>
  readonly prepare: (
    example: X,
    target: Target
  ) => Effect.Effect<Prepared<A>, { readonly reason: string }, ImageCodec>
  /** Of every example, for a validation split with the same share of each. */
  readonly strata: (about: ReadonlyArray<A>) => ArrayLike<number>
  readonly encode: (split: PreparedImages<A>) => Uint8Array
}

/** Decodes in flight at once: enough to keep a few decoding threads busy. */
const decodesAtOnce = 8

/** Images of a split are held until it is written: 64 GiB are more than most machines have. */
const heldBytesMax = 2 ** 36

const checkFits = (name: string, count: number, { channels, height, width }: Target) => {
  const sizeBytes = count * height * width * channels
  if (sizeBytes <= heldBytesMax) return Effect.void
  const gigabytes = (sizeBytes / 1e9).toFixed(0)
  const reason =
    `its ${count} images take ${gigabytes} GB at ${height} × ${width}, and all of them are held in memory: ` +
    "set `limit`, or a smaller size"
  return Effect.fail(new DatasetInvalid({ dataset: `split "${name}"`, reason }))
}

interface ReadSplit<A> {
  readonly split: PreparedImages<A>
  readonly quarantined: Quarantine
}

const readSplit = Effect.fnUntraced(function* <X extends ShardImage, A, E>(
  data: TaskData<X, A, E>,
  name: string,
  split: Split,
  target: Target,
  params: Params
) {
  const store = yield* BlobStore
  const job = yield* JobContext
  const isSelected = limitExamples(name, split.numExamples, params)
  const capacity = Math.min(split.numExamples, params.limit ?? split.numExamples)
  yield* checkFits(name, capacity, target)
  const prepared = new PreparedImages<A>(capacity, target)
  const quarantined: Array<Quarantine[number]> = []
  let seen = 0
  for (const shard of split.shards) {
    const examples = yield* data.read(shard, yield* store.get(shard))
    const selected = examples.filter((_, index) => isSelected(seen + index))
    seen += examples.length
    const outcomes = yield* Effect.forEach(selected, (one) => Effect.result(data.prepare(one, target)), {
      concurrency: decodesAtOnce
    })
    outcomes.forEach((outcome, index) => {
      const { name: file, origin = `${name}/${file}` } = selected[index]!
      if (Result.isSuccess(outcome)) prepared.add(outcome.success)
      else quarantined.push({ file: origin, reason: outcome.failure.reason })
    })
    yield* job.report({ phase: name, done: seen, total: split.numExamples, unit: "images", facts: {} })
  }
  yield* checkSetAside(name, capacity, quarantined, params.maxUnreadable)
  return { split: prepared, quarantined } satisfies ReadSplit<A>
})

/** What `ingest` set aside counts too: a class nobody listed would otherwise cost half the data unnoticed. */
const checkIngested = ({ quarantined, splits }: ImageDatasetValue, { maxUnreadable }: Params) => {
  const count = Object.values(splits).reduce((sum, { numExamples }) => sum + numExamples, quarantined.length)
  return checkSetAside("as it was ingested", count, quarantined, maxUnreadable)
}

const splitNamed = (dataset: ImageDatasetValue, name: string) => {
  const split = dataset.splits[name]
  const reason = `it has no split "${name}", only ${Object.keys(dataset.splits).join(", ")}`
  return split === undefined
    ? Effect.fail(new DatasetInvalid({ dataset: "preprocess input", reason }))
    : Effect.succeed(split)
}

/** Validation is the source's own split where it has one, otherwise cut from train; none at fraction 0. */
const trainAndValidation = Effect.fnUntraced(function* <A, E, R>(
  data: Pick<TaskData<ShardImage, A, unknown>, "strata">,
  dataset: ImageDatasetValue,
  params: Params,
  read: (name: string, split: Split) => Effect.Effect<ReadSplit<A>, E, R>
) {
  const { quarantined, split } = yield* read("train", yield* splitNamed(dataset, "train"))
  const own = dataset.splits.validation
  if (params.validation === 0) return { train: split, validation: undefined, quarantined }
  if (own !== undefined) {
    const validation = yield* read("validation", own)
    const all = [...quarantined, ...validation.quarantined]
    return { train: split, validation: validation.split, quarantined: all }
  }
  const strata = Int32Array.from(data.strata(split.about))
  const { kept, taken } = stratifiedSplit(strata, params.validation, params.seed)
  return { train: split.pick(kept), validation: split.pick(taken), quarantined }
})

const targetOf = ({ channels, fit, height, width }: Params, task: TaskName): Target => ({
  channels,
  height,
  width,
  fit: fit ?? (task === "classification" ? "stretch" : "pad")
})

const preprocess = Effect.fnUntraced(function* <X extends ShardImage, A, E>(
  data: TaskData<X, A, E>,
  dataset: ImageDatasetValue,
  params: Params
) {
  const store = yield* BlobStore
  const target = targetOf(params, dataset.task)
  const { margin = 0 } = params
  const stored: Target = { ...target, height: target.height + margin, width: target.width + margin }
  yield* checkIngested(dataset, params)
  const read = (name: string, split: Split) => readSplit(data, name, split, stored, params)
  const { train, validation, quarantined } = yield* trainAndValidation(data, dataset, params, read)
  const test = yield* read("test", yield* splitNamed(dataset, "test"))
  const unusable = [...quarantined, ...test.quarantined]
  if (unusable.length > 0) {
    yield* (yield* JobContext).note(`${unusable.length} unusable images were left out: see "quarantined"`)
  }
  const statistics =
    givenNormalization(params) ?? imageStatistics({ images: train.images, ...stored }, train.extents)
  const write = Effect.fnUntraced(function* (split: PreparedImages<A>) {
    split.fillPadding(paddingColour(statistics.mean))
    return { numExamples: split.about.length, tensors: yield* store.put(data.encode(split)) }
  })
  return {
    about: [train, ...(validation === undefined ? [] : [validation]), test.split].flatMap((one) => one.about),
    dataset: {
      _tag: "PreparedDataset",
      classes: dataset.classes,
      preprocessing: { ...target, ...statistics },
      train: yield* write(train),
      validation: validation === undefined ? null : yield* write(validation),
      test: yield* write(test.split),
      quarantined: [...dataset.quarantined, ...unusable]
    } as const
  }
})

/** All examples weigh alike where they have no class of their own. */
const oneStratum = (about: ReadonlyArray<unknown>) => new Int32Array(about.length)

const preprocessBoxes = Effect.fnUntraced(function* (
  dataset: ImageDatasetValue<"detection">,
  params: Params
) {
  const made = yield* preprocess(
    {
      read: ({ blob }, bytes) => readBoxShard(blob, bytes),
      prepare: prepareBoxed,
      strata: oneStratum,
      encode: (split) => encodeBoxedImages(boxedOf(split))
    },
    dataset,
    params
  )
  const boxesClipped = yield* countBoxes(made.about, "numClipped")
  const boxesDropped = yield* countBoxes(made.about, "numDropped")
  return { ...made.dataset, task: "detection", counts: { boxesClipped, boxesDropped } } as const
})

const happened = {
  numClipped: "reached beyond their image and were clipped",
  numDropped: "were dropped: outside of their image, empty or of one pixel"
}

/** Tells how many boxes something happened to, and in which files. */
const countBoxes = Effect.fnUntraced(function* (
  about: ReadonlyArray<PreparedBoxes>,
  kind: keyof typeof happened
) {
  const files = about.filter((one) => one[kind] > 0)
  const count = files.reduce((sum, one) => sum + one[kind], 0)
  const names = files.slice(0, 3).map(({ file }) => file)
  const shown = `${names.join(", ")}${files.length > names.length ? ", …" : ""}`
  if (count > 0) yield* (yield* JobContext).note(`${count} boxes ${happened[kind]} (${shown})`)
  return count
})

const preprocessMasks = Effect.fnUntraced(function* (
  dataset: ImageDatasetValue<"segmentation">,
  params: Params
) {
  const { classes, ignoreIndex } = dataset
  const prepare = (example: Parameters<typeof prepareMasked>[0], target: Target) =>
    prepareMasked(example, { ...target, numClasses: classes.length, ignoreIndex })
  const made = yield* preprocess(
    {
      read: ({ blob }, bytes) => readMaskShard(blob, bytes),
      prepare,
      strata: oneStratum,
      encode: (split) => encodeMaskedImages(maskedOf(split))
    },
    dataset,
    params
  )
  return { ...made.dataset, task: "segmentation", counts: {} } as const
})

const preprocessLabels = Effect.fnUntraced(function* (
  dataset: ImageDatasetValue<"classification">,
  params: Params
) {
  const made = yield* preprocess(
    {
      read: ({ blob, single }, bytes) =>
        single === undefined ? readShard(blob, bytes) : Effect.succeed([{ ...single, bytes }]),
      prepare: prepareLabelled,
      strata: (labels) => labels,
      encode: (split) => encodeLabelledImages(labelledOf(split))
    },
    dataset,
    params
  )
  return { ...made.dataset, task: "classification", counts: {} } as const
})

export const run = Effect.fn("preprocess")(function* ({
  params,
  inputs: { dataset }
}: {
  readonly params: Params
  readonly inputs: { readonly dataset: ImageDatasetValue }
}) {
  const made: PreparedDatasetValue =
    dataset.task === "classification"
      ? yield* preprocessLabels(dataset, params)
      : dataset.task === "detection"
        ? yield* preprocessBoxes(dataset, params)
        : yield* preprocessMasks(dataset, params)
  return made
})
