import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { layer as codecLayer } from "../../infra/images/SharpImageCodec.ts"
import { normalizationTable } from "../../lib/data/augment/normalization.ts"
import { fillEvaluationBatch } from "../../lib/data/batches.ts"
import { encodeNetpbm } from "../../lib/data/formats/netpbm.ts"
import { decodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { blobsOfSplit, type LabelledSplit } from "../../lib/data/PreparedSplit.ts"
import { type LabelledImage, ShardWriter } from "../../lib/data/shards.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { ImageDatasetValue } from "../../stages/artifacts.ts"
import { run } from "../../stages/preprocess.run.ts"
import { givenNormalization, PreprocessParams } from "../../stages/preprocess.ts"
import { assertClose } from "../support/golden.ts"
import { blobsLayer, type JobRecord, jobLayer } from "../support/stageServices.ts"

/** A grey image of 2 × 2 pixels, all of one value; the value tells the images apart. */
const flat = (value: number, label: number): LabelledImage => ({
  name: "x.pgm",
  bytes: encodeNetpbm({ pixels: new Uint8Array(4).fill(value), height: 2, width: 2, channels: 1 }),
  label
})
const broken = (label: number): LabelledImage => ({
  name: "x.pgm",
  origin: "a/broken.pgm",
  bytes: new Uint8Array(3),
  label
})

const storeSplit = Effect.fnUntraced(function* (images: ReadonlyArray<LabelledImage>) {
  // Small shards, so that a split has several.
  const writer = new ShardWriter(6 * 2048)
  const shards = [...images.map((image) => writer.add(image)), writer.finish()]
  const store = yield* BlobStore
  return {
    numExamples: images.length,
    shards: yield* Effect.forEach(
      shards.filter((shard) => shard !== undefined),
      store.put
    )
  }
})

const storeDataset = Effect.fnUntraced(function* (
  splits: Readonly<Record<string, ReadonlyArray<LabelledImage>>>
) {
  const stored: Record<string, ImageDatasetValue["splits"][string]> = {}
  for (const [name, images] of Object.entries(splits)) stored[name] = yield* storeSplit(images)
  const value: ImageDatasetValue = {
    _tag: "ImageDataset",
    task: "classification",
    classes: ["a", "b"],
    splits: stored,
    quarantined: []
  }
  return value
})

const preprocess = (dataset: ImageDatasetValue, params: Partial<typeof PreprocessParams.Encoded> = {}) =>
  run({
    params: Schema.decodeSync(PreprocessParams)({ height: 2, width: 2, channels: 1, ...params }),
    inputs: { dataset }
  })

const load = (split: LabelledSplit | null) =>
  Effect.flatMap(BlobStore, (store) =>
    Effect.flatMap(store.get(blobsOfSplit(split!)[0]!), decodeLabelledImages)
  )

const train = Array.from({ length: 40 }, (_, index) => flat(index, index % 2))
const test = [flat(200, 0), flat(201, 1)]

const services = Layer.mergeAll(blobsLayer, jobLayer(), codecLayer)

it.layer(services)("preprocess", (it) => {
  it.effect("keeps order, pixels and labels across shards", () =>
    Effect.gen(function* () {
      const prepared = yield* preprocess(yield* storeDataset({ train, test }), { validation: 0 })
      const { images, labels, ...shape } = yield* load(prepared.train)
      assert.deepStrictEqual(
        [...images].filter((_, index) => index % 4 === 0),
        train.map((_, index) => index)
      )
      assert.deepStrictEqual([...labels.subarray(0, 3)], [0, 1, 0])
      assert.deepStrictEqual(shape, { height: 2, width: 2, channels: 1 })
      assert.isNull(prepared.validation)
      assert.deepStrictEqual(
        [...(yield* load(prepared.test)).images],
        [200, 200, 200, 200, 201, 201, 201, 201]
      )
    })
  )

  it.effect("validation is cut from train, class by class, by the seed; the rest is measured", () =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset({ train, test })
      const prepared = yield* preprocess(dataset, { validation: 0.2, seed: 5 })
      const [kept, held] = [yield* load(prepared.train), yield* load(prepared.validation)]
      assert.deepStrictEqual([kept.labels.length, held.labels.length], [32, 8])
      assert.strictEqual(held.labels.filter((label) => label === 0).length, 4)
      const values = [...kept.images, ...held.images].filter((_, index) => index % 4 === 0)
      assert.deepStrictEqual(
        values.sort((a, b) => a - b),
        train.map((_, index) => index)
      )
      const mean = kept.images.reduce((sum, value) => sum + value, 0) / kept.images.length / 255
      assert.closeTo(prepared.preprocessing.mean[0]!, mean, 1e-12)
      assert.deepStrictEqual(yield* preprocess(dataset, { validation: 0.2, seed: 5 }), prepared)
      assert.notDeepEqual(
        (yield* preprocess(dataset, { validation: 0.2, seed: 6 })).validation,
        prepared.validation
      )
    })
  )

  it.effect("a validation split of the source's own is used as it is", () =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset({ train, test, validation: [flat(99, 1)] })
      const prepared = yield* preprocess(dataset)
      assert.deepStrictEqual([prepared.train.numExamples, prepared.validation?.numExamples], [40, 1])
    })
  )
})

it.layer(services)("preprocess, choices", (it) => {
  it.effect("sizes and channels are made equal", () =>
    Effect.gen(function* () {
      const wide: LabelledImage = {
        name: "x.ppm",
        bytes: encodeNetpbm({ pixels: new Uint8Array(3 * 20).fill(50), height: 2, width: 10, channels: 3 }),
        label: 0
      }
      const dataset = yield* storeDataset({ train: [wide, flat(9, 1)], test })
      const prepared = yield* preprocess(dataset, { height: 4, width: 3, channels: 3, validation: 0 })
      const { images } = yield* load(prepared.train)
      assert.deepStrictEqual([...images], [...new Array(36).fill(50), ...new Array(36).fill(9)])
    })
  )

  it.effect("limit takes so many of each split, chosen by the seed", () =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset({ train, test })
      const prepared = yield* preprocess(dataset, { validation: 0, limit: 10 })
      assert.deepStrictEqual([prepared.train.numExamples, prepared.test.numExamples], [10, 2])
      const other = yield* preprocess(dataset, { validation: 0, limit: 10, seed: 1 })
      assert.notDeepEqual(other.train, prepared.train)
    })
  )
})

it.layer(services)("preprocess, what is wrong", (it) => {
  it.effect("unreadable images are left out, listed with their origin, and told", () =>
    Effect.gen(function* () {
      const record: JobRecord = { progress: [], notes: [] }
      const dataset = yield* storeDataset({ train: [broken(0), ...train], test })
      const prepared = yield* preprocess(dataset, { validation: 0, maxUnreadable: 0.1 }).pipe(
        Effect.provide(jobLayer(record))
      )
      assert.strictEqual(prepared.train.numExamples, 40)
      assert.strictEqual((yield* load(prepared.train)).images[0], 0)
      assert.deepStrictEqual(prepared.quarantined, [
        { file: "a/broken.pgm", reason: "it is neither JPEG, PNG, WebP, PGM nor PPM" }
      ])
      assert.include(record.notes.join(), "1 unusable images")
    })
  )

  it.effect("too many of them fail the stage", () =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset({ train: [broken(0), ...train], test })
      const error = yield* Effect.flip(preprocess(dataset))
      assert.include(error.message, "1 of 41 images are unusable, more than the fraction 0.01")
      assert.include(error.message, "a/broken.pgm")
    })
  )

  it.effect("a dataset without test images, or without a test split, is refused", () =>
    Effect.gen(function* () {
      const none = yield* Effect.flip(preprocess(yield* storeDataset({ train })))
      assert.include(none.message, 'no split "test", only train')
      const empty = yield* Effect.flip(preprocess(yield* storeDataset({ train, test: [] })))
      assert.include(empty.message, "it has no images")
    })
  )
})

const crop = { kind: "center-crop", shorterSide: 4, resampler: "bicubic" } as const

it.layer(services)("for published weights", (it) => {
  it.effect("images are cut to their middle, and normalised as told", () =>
    Effect.gen(function* () {
      const normalization = { mean: [0.25], std: [0.5] }
      const dataset = yield* storeDataset({ train, test })
      const { preprocessing, ...prepared } = yield* preprocess(dataset, { fit: crop, normalization })
      assert.deepStrictEqual(preprocessing, {
        ...{ height: 2, width: 2, channels: 1, fit: crop },
        ...normalization
      })
      assert.deepStrictEqual(
        [...(yield* load(prepared.test)).images],
        [200, 200, 200, 200, 201, 201, 201, 201]
      )
    })
  )
})

it.layer(services)("for random crops", (it) => {
  it.effect("images are stored with a margin, which is no part of the input", () =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset({ train, test })
      const fit = { ...crop, shorterSide: 8 }
      const prepared = yield* preprocess(dataset, { fit, margin: 4 })
      assert.strictEqual(prepared.preprocessing.height, 2)
      assert.strictEqual(prepared.preprocessing.width, 2)
      const { height, images, width } = yield* load(prepared.test)
      assert.deepStrictEqual([height, width, images.length], [6, 6, 72])
      const plain = yield* load((yield* preprocess(dataset, { fit })).test)
      const middle = new Float32Array(plain.images.length)
      const table = normalizationTable({ mean: [0], std: [1 / 255] })
      const batch = { start: 0, count: plain.labels.length }
      fillEvaluationBatch({ images, height, width, channels: 1 }, batch, table, middle, plain)
      assert.deepStrictEqual([...middle].map(Math.round), [...plain.images])
    })
  )
})

it.effect("images with boxes that no memory holds are refused before any is read", () =>
  Effect.gen(function* () {
    const { splits } = yield* storeDataset({ train: [flat(1, 0)], test: [flat(2, 1)] })
    const train = { ...splits.train!, numExamples: 1_281_167 }
    const boxed: ImageDatasetValue<"detection"> = {
      ...{ _tag: "ImageDataset", task: "detection", classes: ["a"], quarantined: [] },
      splits: { ...splits, train }
    }
    const error = yield* Effect.flip(preprocess(boxed, { height: 256, width: 256, channels: 3 }))
    assert.include(error.message, "its 1281167 images take 252 GB at 256 × 256")
  }).pipe(Effect.provide(services))
)

describe("preprocess params", () => {
  it("ask for a margin that keeps the middle, and for the fit that cuts", () => {
    const given = { height: 224, width: 224, channels: 3, fit: { ...crop, shorterSide: 256 } } as const
    const decode = Schema.decodeUnknownSync(PreprocessParams)
    assert.deepStrictEqual(decode({ ...given, margin: 0 }), decode(given))
    assert.strictEqual(decode({ ...given, margin: 32 }).margin, 32)
    assert.throws(() => decode({ ...given, margin: 30 }), /multiple of 4/)
    assert.throws(() => decode({ ...given, margin: 36 }), /less than the 260 pixels/)
    assert.throws(() => decode({ ...given, fit: "stretch", margin: 32 }), /center-crop/)
  })

  it("know the paper's mean and deviation", () => {
    const given = { height: 224, width: 224, channels: 3, normalization: "paper" } as const
    const { mean, std } = givenNormalization(Schema.decodeSync(PreprocessParams)(given))!
    assertClose(mean, [123.68 / 255, 116.779 / 255, 103.939 / 255], 1e-12)
    assertClose(std, [58.393 / 255, 57.12 / 255, 57.375 / 255], 1e-12)
    assert.throws(
      () => Schema.decodeSync(PreprocessParams)({ ...given, channels: 1 }),
      /each of the 1 channels/
    )
  })

  it("of pipelines that name neither are what they were", () => {
    const given = { height: 2, width: 2, channels: 1 } as const
    const decoded = Schema.decodeSync(PreprocessParams)(given)
    assert.deepStrictEqual(Schema.encodeSync(PreprocessParams)(decoded), {
      ...given,
      ...{ fit: null, validation: 0.1, seed: 0, limit: null, maxUnreadable: 0.01 }
    })
  })

  it.each([
    [{ height: 0 }, "height"],
    [{ channels: 2 as 1 }, "channels"],
    [{ validation: 1 }, "validation"],
    [{ limit: 0 }, "limit"],
    [{ fit: { ...crop, shorterSide: 1 } }, "fit.shorterSide is 1, less than the 2 pixels that are cut out"],
    [{ fit: { ...crop, resampler: "nearest" as "bilinear" } }, "resampler"],
    [{ normalization: { mean: [0, 0, 0], std: [1, 1, 1] } }, "a mean and a std for each of the 1 channels"],
    [{ normalization: { mean: [0], std: [0] } }, "each std must be above 0"]
  ])("%j is refused", (params, name) => {
    const decode = Schema.decodeUnknownSync(PreprocessParams)
    assert.throws(() => decode({ height: 2, width: 2, channels: 1, ...params }), new RegExp(name))
  })
})
