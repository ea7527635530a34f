/** The body of `preprocess`: the tasks differ in how one example is prepared and how a split is written. */
import { Effect } from "effect"
import { encodeBoxedImages } from "../lib/data/boxed-images.ts"
import { DatasetInvalid } from "../lib/data/DatasetInvalid.ts"
import { paddingColour, type Target } from "../lib/data/fit-image.ts"
import { encodeLabelledImages } from "../lib/data/labelled-images.ts"
import { encodeMaskedImages } from "../lib/data/masked-images.ts"
import { boxedOf, labelledOf, maskedOf, type PreparedImages } from "../lib/data/PreparedImages.ts"
import type { ShardedSplit } from "../lib/data/PreparedSplit.ts"
import {
  type PreparedBoxes,
  prepareBoxed,
  prepareLabelled,
  prepareMasked
} from "../lib/data/prepare-example.ts"
import { inMemory, trainInMemory } from "../lib/data/prepare-memory.ts"
import {
  exceedsWindow,
  inShards,
  isLabelled,
  type ShardBounds,
  trainInShards,
  usualBounds
} from "../lib/data/prepare-shards.ts"
import { capacityOf, type TaskData } from "../lib/data/read-examples.ts"
import { checkSetAside } from "../lib/data/set-aside.ts"
import { readBoxShard, readMaskShard, readShard, type ShardImage } from "../lib/data/shards.ts"
import { BlobStore } from "../lib/storage/BlobStore.ts"
import { JobContext } from "../lib/workflow/JobContext.ts"
import type { ImageDatasetValue, PreparedDatasetValue, Split, TaskName } from "./artifacts.ts"
import { preparingKeeper, usualIntervalMillis } from "./preparing-keeper.ts"
import { givenNormalization, type PreprocessParams } from "./preprocess.ts"

type Params = typeof PreprocessParams.Type

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

/** A split that is read: held, or written as shards already. */
type Made<A> = PreparedImages<A> | ShardedSplit

const targetOf = ({ channels, fit, height, width }: Params, task: TaskName): Target => ({
  channels,
  height,
  width,
  fit: fit ?? (task === "classification" ? "stretch" : "pad")
})

/** How large splits are written. */
interface Bounds extends ShardBounds {
  /** Between two states that are saved. */
  readonly intervalMillis: number
}

/** Validation is the source's own split where it has one, otherwise cut from train; none at fraction 0. */
const readSplits = Effect.fnUntraced(function* <X extends ShardImage, A, E>(
  data: TaskData<X, A, E>,
  dataset: ImageDatasetValue,
  target: Target,
  params: Params,
  bounds: Bounds
) {
  const job = yield* JobContext
  const keeper = yield* Effect.cached(preparingKeeper(bounds.intervalMillis))
  const { limit, maxUnreadable, seed } = params
  const readingOf = (name: string, split: Split) => ({
    ...{ data, name, split, target, limit, maxUnreadable, seed },
    onProgress: (done: number) =>
      job.report({ phase: name, done, total: split.numExamples, unit: "images", facts: {} })
  })
  const isLarge = (split: Split) => exceedsWindow(capacityOf(split, limit), target, bounds)
  const own = params.validation === 0 ? undefined : dataset.splits.validation
  const cut = {
    given: givenNormalization(params),
    validation: own === undefined ? params.validation : 0
  }
  const trainReading = readingOf("train", yield* splitNamed(dataset, "train"))
  const { quarantined, statistics, train, validation } =
    isLabelled(data) && isLarge(trainReading.split)
      ? yield* trainInShards({ ...trainReading, data }, { bounds, keeper: yield* keeper }, cut)
      : yield* trainInMemory(trainReading, cut)
  const readOther = Effect.fnUntraced(function* (name: string, split: Split) {
    const reading = readingOf(name, split)
    return isLabelled(data) && isLarge(split)
      ? yield* inShards({ ...reading, data }, { bounds, keeper: yield* keeper }, statistics.mean)
      : yield* inMemory(reading)
  })
  const ownRead = own === undefined ? undefined : yield* readOther("validation", own)
  const test = yield* readOther("test", yield* splitNamed(dataset, "test"))
  return {
    splits: { train, validation: ownRead?.split ?? validation, test: test.split } satisfies Record<
      string,
      Made<A> | undefined
    >,
    statistics,
    unusable: [...quarantined, ...(ownRead?.quarantined ?? []), ...test.quarantined]
  }
})

const preprocess = Effect.fnUntraced(function* <X extends ShardImage, A, E>(
  data: TaskData<X, A, E>,
  dataset: ImageDatasetValue,
  params: Params,
  bounds: Bounds
) {
  const store = yield* BlobStore
  const target = targetOf(params, dataset.task)
  const { margin = 0 } = params
  const stored: Target = { ...target, height: target.height + margin, width: target.width + margin }
  yield* checkIngested(dataset, params)
  const { splits, statistics, unusable } = yield* readSplits(data, dataset, stored, params, bounds)
  const { test, train, validation } = splits
  if (unusable.length > 0) {
    yield* (yield* JobContext).note(`${unusable.length} unusable images were left out: see "quarantined"`)
  }
  const written = Effect.fnUntraced(function* (split: Made<A>) {
    if ("shards" in split) return split
    split.fillPadding(paddingColour(statistics.mean))
    return { numExamples: split.about.length, tensors: yield* store.put(data.encode(split)) }
  })
  return {
    about: [train, validation, test].flatMap((one) =>
      one === undefined || "shards" in one ? [] : one.about
    ),
    dataset: {
      _tag: "PreparedDataset",
      classes: dataset.classes,
      preprocessing: { ...target, ...statistics },
      train: yield* written(train),
      validation: validation === undefined ? null : yield* written(validation),
      test: yield* written(test),
      quarantined: [...dataset.quarantined, ...unusable]
    } as const
  }
})

const preprocessBoxes = Effect.fnUntraced(function* (
  dataset: ImageDatasetValue<"detection">,
  params: Params
) {
  const made = yield* preprocess(
    {
      read: ({ blob }, bytes) => readBoxShard(blob, bytes),
      prepare: prepareBoxed,
      encode: (split) => encodeBoxedImages(boxedOf(split))
    },
    dataset,
    params,
    usual
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
      encode: (split) => encodeMaskedImages(maskedOf(split))
    },
    dataset,
    params,
    usual
  )
  return { ...made.dataset, task: "segmentation", counts: {} } as const
})

const preprocessLabels = Effect.fnUntraced(function* (
  dataset: ImageDatasetValue<"classification">,
  params: Params,
  bounds: Bounds
) {
  const made = yield* preprocess(
    {
      read: ({ blob, single }, bytes) =>
        single === undefined ? readShard(blob, bytes) : Effect.succeed([{ ...single, bytes }]),
      prepare: prepareLabelled,
      labelOf: (label) => label,
      encode: (split) => encodeLabelledImages(labelledOf(split))
    },
    dataset,
    params,
    bounds
  )
  return { ...made.dataset, task: "classification", counts: {} } as const
})

interface Args {
  readonly params: Params
  readonly inputs: { readonly dataset: ImageDatasetValue }
}

const preprocessWithin = Effect.fn("preprocess")(function* (bounds: Bounds, { inputs, params }: Args) {
  const { dataset } = inputs
  const made =
    dataset.task === "classification"
      ? yield* preprocessLabels(dataset, params, bounds)
      : dataset.task === "detection"
        ? yield* preprocessBoxes(dataset, params)
        : yield* preprocessMasks(dataset, params)
  // Only labelled images are ever shards.
  return made as PreparedDatasetValue
})

const usual: Bounds = { ...usualBounds, intervalMillis: usualIntervalMillis }

/** The body with other bounds than the usual, for tests. */
export const runWithin = (bounds: Bounds) => (args: Args) => preprocessWithin(bounds, args)

export const run = runWithin(usual)
