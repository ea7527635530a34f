/**
 * Splits in shards, made small for the test: what `preprocess` writes, and that training, distillation,
 * evaluation and report read it, from every store to the same result.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Ref, Result, Schema } from "effect"
import { hasherLayer } from "../../infra/hashing.ts"
import { layer as codecLayer } from "../../infra/images/SharpImageCodec.ts"
import { cachedBlobStoreLayer } from "../../infra/stores/cachedBlobStore.ts"
import { fileObjectStoreLayer } from "../../infra/stores/FileObjectStore.ts"
import { meteredObjectStoreLayer } from "../../infra/stores/meteredObjectStore.ts"
import { s3ObjectStoreLayer } from "../../infra/stores/S3ObjectStore.ts"
import { TrafficMeter } from "../../infra/stores/TrafficMeter.ts"
import { encodeNetpbm } from "../../lib/data/formats/netpbm.ts"
import { decodeLabelledImages, decodeLabels } from "../../lib/data/labelled-images.ts"
import { blobsOfSplit, type LabelledSplit } from "../../lib/data/PreparedSplit.ts"
import { type LabelledImage, ShardWriter } from "../../lib/data/shards.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import { TrainingParams } from "../../lib/train/TrainingParams.ts"
import { JobContext } from "../../lib/workflow/JobContext.ts"
import type { ImageDatasetValue } from "../../stages/artifacts.ts"
import { run as distill } from "../../stages/distill.run.ts"
import { DistillParams } from "../../stages/distill.ts"
import { run as evaluate } from "../../stages/evaluate.run.ts"
import { run, runWithin } from "../../stages/preprocess.run.ts"
import { PreprocessParams } from "../../stages/preprocess.ts"
import { run as pretrain } from "../../stages/pretrain.run.ts"
import { run as report } from "../../stages/report.run.ts"
import { ReportParams } from "../../stages/report.ts"
import { portable } from "../support/runtimes.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../support/versitygw.ts"

const side = 8
/** Bytes of four images: what is more than 32 of them is in shards. */
const bounds = { shardBytes: 4 * side * side, mixedBytes: 40 * 1024, intervalMillis: 0 }

/** Its first pixel tells it apart; the upper or the lower half is bright. */
const image = (index: number): LabelledImage => {
  const pixels = Uint8Array.from({ length: side * side }, (_, at) => {
    const isBright = at < 32 === (index % 2 === 0)
    return at === 0 ? index : ((index * 31 + at * 7) % 96) + (isBright ? 150 : 0)
  })
  const bytes = encodeNetpbm({ pixels, height: side, width: side, channels: 1 })
  return { name: "x.pgm", bytes, label: index % 2 }
}
const range = (length: number, first = 0) => Array.from({ length }, (_, at) => first + at)

const storeSplit = Effect.fnUntraced(function* (images: ReadonlyArray<LabelledImage>) {
  const writer = new ShardWriter(5 * 2048)
  const shards = [...images.map((one) => writer.add(one)), writer.finish()]
  const { put } = yield* BlobStore
  const made = shards.filter((shard) => shard !== undefined)
  return { numExamples: images.length, shards: yield* Effect.forEach(made, put) }
})

const storeDataset = Effect.fnUntraced(function* (numTrain: number, numTest: number) {
  return {
    ...{ _tag: "ImageDataset", task: "classification", classes: ["upper", "lower"], quarantined: [] },
    splits: {
      train: yield* storeSplit(range(numTrain).map(image)),
      test: yield* storeSplit(range(numTest, 100).map(image))
    }
  } satisfies ImageDatasetValue<"classification"> as ImageDatasetValue<"classification">
})

const argsOf = (
  dataset: ImageDatasetValue<"classification">,
  params: Partial<typeof PreprocessParams.Encoded> = {}
) => ({
  params: Schema.decodeSync(PreprocessParams)({ height: side, width: side, channels: 1, ...params }),
  inputs: { dataset }
})

const prepare = Effect.fnUntraced(function* (
  dataset: ImageDatasetValue<"classification">,
  params?: Partial<typeof PreprocessParams.Encoded>
) {
  const prepared = yield* runWithin(bounds)(argsOf(dataset, params))
  if (prepared.task !== "classification") return yield* Effect.die("another task")
  return prepared
})

/** Numbers of the images of a split, shard by shard. */
const numbersOf = Effect.fnUntraced(function* (split: LabelledSplit | null) {
  const { get } = yield* BlobStore
  const blobs = yield* Effect.forEach(blobsOfSplit(split!), (ref) =>
    Effect.flatMap(get(ref), decodeLabelledImages)
  )
  return blobs.map(({ images, labels }) => Array.from(labels, (_, at) => images[at * side * side]!))
})

const ascending = (numbers: ReadonlyArray<number>) => numbers.toSorted((a, b) => a - b)
const services = Layer.mergeAll(jobLayer(), codecLayer)
const memory = Layer.mergeAll(Layer.fresh(blobsLayer), services)

describe("preprocess of more images than a window of shards", () => {
  it.effect("writes each once: mixed for training, in order for the test", () =>
    Effect.gen(function* () {
      const prepared = yield* prepare(yield* storeDataset(61, 40), { validation: 0 })
      const train = yield* numbersOf(prepared.train)
      assert.deepStrictEqual(
        train.map(({ length }) => length),
        [...new Array(15).fill(4), 1]
      )
      assert.deepStrictEqual(ascending(train.flat()), range(61))
      // Neighbours come apart.
      const isTogether = (numbers: ReadonlyArray<number>) =>
        Math.max(...numbers) - Math.min(...numbers) < numbers.length
      assert.isFalse(train.slice(0, 15).some(isTogether))
      assert.deepStrictEqual((yield* numbersOf(prepared.test)).flat(), range(40, 100))
      if (!("shards" in prepared.train)) return assert.fail("it is one blob")
      const labels = yield* decodeLabels(yield* (yield* BlobStore).get(prepared.train.labels))
      assert.deepStrictEqual(
        [...labels],
        train.flat().map((number) => number % 2)
      )
      const again = yield* prepare(yield* storeDataset(61, 40), { validation: 0 })
      assert.deepStrictEqual(again, prepared)
      assert.notDeepEqual(
        (yield* prepare(yield* storeDataset(61, 40), { validation: 0, seed: 1 })).train,
        prepared.train
      )
    }).pipe(Effect.provide(memory))
  )

  it.effect("cuts validation off class by class, measures the rest, and takes as many as are asked for", () =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset(90, 5)
      const prepared = yield* prepare(dataset, { validation: 0.2, limit: 60 })
      const [train, validation] = [yield* numbersOf(prepared.train), yield* numbersOf(prepared.validation)]
      assert.deepStrictEqual([train.flat().length, validation.flat().length], [48, 12])
      assert.strictEqual(new Set([...train.flat(), ...validation.flat()]).size, 60)
      assert.strictEqual(validation.flat().filter((number) => number % 2 === 0).length, 6)
      assert.isTrue("tensors" in prepared.test)
      // Which are taken does not depend on the order they are read in.
      const whole = yield* run(argsOf(dataset, { validation: 0.2, limit: 60 }))
      if (whole.task !== "classification") return assert.fail("another task")
      const [kept, held] = [yield* numbersOf(whole.train), yield* numbersOf(whole.validation)]
      assert.deepStrictEqual(
        ascending([...train, ...validation].flat()),
        ascending([...kept, ...held].flat())
      )
      const measured = yield* prepare(dataset, { validation: 0, fit: "pad" })
      const all = yield* run(argsOf(dataset, { validation: 0, fit: "pad" }))
      assert.deepStrictEqual(measured.preprocessing, all.preprocessing)
    }).pipe(Effect.provide(memory))
  )

  it.effect("of as many as a window holds, nothing changes", () =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset(32, 32)
      for (const params of [{ validation: 0 }, { validation: 0.25 }]) {
        assert.deepStrictEqual(yield* prepare(dataset, params), yield* run(argsOf(dataset, params)))
      }
    }).pipe(Effect.provide(memory))
  )
})

/** An attempt of a job whose state is in `saved`; it is killed where it reports for the n-th time. */
const attempt = (saved: Ref.Ref<Option.Option<Uint8Array>>, notes: Array<string> = []) => {
  const job = (killedAt: number, stopsAt: number) =>
    Effect.gen(function* () {
      const reported = yield* Ref.make(0)
      const asked = yield* Ref.make(0)
      return JobContext.of({
        ...(yield* JobContext),
        note: (line) => Effect.sync(() => void notes.push(line)),
        report: () =>
          Effect.flatMap(
            Ref.updateAndGet(reported, (count) => count + 1),
            (count) => (count === killedAt ? Effect.die("killed") : Effect.void)
          ),
        stopRequested: Ref.modify(asked, (count) => [count + 1 >= stopsAt, count + 1] as const),
        loadResumePoint: Ref.get(saved),
        saveResumePoint: (bytes) => Ref.set(saved, Option.some(bytes))
      })
    })
  return <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    { killedAt = Number.POSITIVE_INFINITY, stopsAt = Number.POSITIVE_INFINITY } = {}
  ) => Effect.provideServiceEffect(effect, JobContext, job(killedAt, stopsAt))
}

describe("preparing that was cut off", () => {
  const many: ReadonlyArray<Partial<typeof PreprocessParams.Encoded>> = [
    { validation: 0 },
    { validation: 0.2, limit: 70 },
    { validation: 0.2, fit: "pad", height: side + 2 }
  ]
  it.effect.each(many)("by a kill anywhere, %o, goes on to the same bytes", (params) =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset(90, 40)
      const whole = yield* prepare(dataset, params)
      let numKills = 0
      for (let killedAt = 1; ; killedAt++) {
        const notes: Array<string> = []
        const saved = yield* Ref.make(Option.none<Uint8Array>())
        const run = attempt(saved, notes)
        const first = yield* Effect.exit(run(prepare(dataset, params), { killedAt }))
        if (Exit.isSuccess(first)) break
        numKills++
        assert.deepStrictEqual(yield* run(prepare(dataset, params)), whole)
        const isSaved = Option.isSome(yield* Ref.get(saved)) && notes.length > 0
        if (killedAt > 9) assert.isTrue(isSaved, notes.join())
        assert.isTrue(notes.every((line) => line.startsWith("goes on after the images of ")))
      }
      assert.isAbove(numKills, 12)
    }).pipe(Effect.provide(memory))
  )

  it.effect("by a stop, reads no group twice", () =>
    Effect.gen(function* () {
      const dataset = yield* storeDataset(90, 40)
      const whole = yield* prepare(dataset, { validation: 0.2 })
      const notes: Array<string> = []
      const run = attempt(yield* Ref.make(Option.none<Uint8Array>()), notes)
      let numStops = 0
      for (;;) {
        const exit = yield* Effect.result(run(prepare(dataset, { validation: 0.2 }), { stopsAt: 1 }))
        if (Result.isSuccess(exit)) {
          assert.deepStrictEqual(exit.success, whole)
          break
        }
        assert.strictEqual((exit.failure as { readonly _tag: string })._tag, "JobStopped")
        numStops++
      }
      // Between any two groups once.
      assert.strictEqual(numStops, notes.length)
      assert.strictEqual(new Set(notes).size, notes.length)
      assert.match(notes[0]!, /^goes on after the images of \d+ of train$/)
      assert.match(notes.at(-1)!, /^goes on after the images of train, 3\d of test$/)
    }).pipe(Effect.provide(memory))
  )

  it.effect("starts anew where a shard that was written is gone", () =>
    Effect.gen(function* () {
      const saved = yield* Ref.make(Option.none<Uint8Array>())
      const notes: Array<string> = []
      const run = attempt(saved, notes)
      const prepareAnew = Effect.gen(function* () {
        return yield* prepare(yield* storeDataset(90, 40), { validation: 0 })
      })
      yield* Effect.exit(Effect.provide(run(prepareAnew, { killedAt: 12 }), memory))
      const whole = yield* Effect.provide(prepareAnew, memory)
      assert.deepStrictEqual(yield* Effect.provide(run(prepareAnew), memory), whole)
      assert.deepStrictEqual(notes, ["what an earlier attempt has prepared cannot be used: it starts anew"])
    }).pipe(Effect.provide(services))
  )
})

const architecture = { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" } as const
const training = TrainingParams.make({
  ...{ epochs: 2, batchSize: 8, warmupEpochs: 0, lrSchedule: { kind: "constant" }, learningRate: 0.05 },
  augment: { pad: 1, flip: true }
})

type Prepared = Effect.Success<ReturnType<typeof prepare>>

/** Trains and evaluates; what comes of it, less who made it. */
const taught = Effect.fnUntraced(function* (dataset: Prepared) {
  const model = yield* pretrain({ params: { architecture, training }, inputs: { dataset } })
  return { model, evaluation: yield* evaluate({ params: {}, inputs: { model, dataset } }) }
})

const withServices = Layer.mergeAll(services, portable.layer)
const fileStore = (folder: string) =>
  blobStoreLayer.pipe(Layer.provideMerge(fileObjectStoreLayer(folder)), Layer.provideMerge(hasherLayer))

/** On a store in a folder. */
const onFiles = Effect.gen(function* () {
  const dataset = yield* prepare(yield* storeDataset(48, 36), { validation: 0 })
  return { dataset, ...(yield* taught(dataset)) }
}).pipe(Effect.provide(Layer.mergeAll(fileStore(join(temporaryFolder(), "store")), withServices)))

const server = versitygwMissing ? undefined : await startVersitygw()

/** The bucket behind a cache in this folder, and what is read from the bucket. */
const onS3 = (folder: string, meter: TrafficMeter) => {
  Object.assign(process.env, server!.environment)
  const place = { kind: "s3" as const, bucket: server!.bucket, prefix: "shards" }
  mkdirSync(folder, { recursive: true })
  return cachedBlobStoreLayer({ folder, sizeBytesMax: 1e9, meter }).pipe(
    Layer.provide(blobStoreLayer),
    Layer.provideMerge(meteredObjectStoreLayer(meter)),
    Layer.provide(s3ObjectStoreLayer({ place, checked: true })),
    Layer.provideMerge(hasherLayer)
  )
}

describe("training on shards", () => {
  it.effect("teaches, is evaluated and reported", () =>
    Effect.gen(function* () {
      const dataset = yield* prepare(yield* storeDataset(48, 36), { validation: 0.2 })
      assert.isTrue(["train", "validation", "test"].every((name) => "shards" in dataset[name as "train"]!))
      const { evaluation, model } = yield* taught(dataset)
      assert.strictEqual(evaluation.numExamples, 36)
      assert.isNumber(model.history.at(-1)!.validation.top1)
      const params = Schema.decodeSync(DistillParams)({
        ...{ architecture, training: { epochs: 1, batchSize: 8 }, temperature: 4, teacherTop1: 0 }
      })
      const student = yield* distill({ params, inputs: { dataset, teacher: model } })
      assert.strictEqual(student.history.length, 1)
      const { samples } = yield* report({
        params: Schema.decodeSync(ReportParams)({ title: "shards", samples: 4 }),
        inputs: { evaluations: { model: evaluation }, models: { model }, datasets: { model: dataset } }
      })
      assert.lengthOf(samples, 4)
    }).pipe(Effect.provide(Layer.mergeAll(Layer.fresh(blobsLayer), withServices)))
  )

  it.effect.skipIf(server === undefined)(
    `from a folder, from versitygw and from its copies on this machine, comes to the same${skipNote}`,
    () =>
      Effect.gen(function* () {
        const { dataset, evaluation, model } = yield* onFiles
        const [there, here] = [join(temporaryFolder(), "writer"), join(temporaryFolder(), "reader")]
        const prepared = yield* Effect.flatMap(storeDataset(48, 36), (images) =>
          prepare(images, { validation: 0 })
        ).pipe(Effect.provide(Layer.mergeAll(onS3(there, new TrafficMeter()), services)))
        assert.deepStrictEqual(prepared, dataset)
        const [fetched, kept] = [new TrafficMeter(), new TrafficMeter()]
        for (const meter of [fetched, kept]) {
          const again = yield* Effect.provide(
            taught(prepared),
            Layer.mergeAll(onS3(here, meter), withServices)
          )
          assert.deepStrictEqual(again, { model, evaluation })
        }
        // Of two epochs of shards each was fetched once; then nothing was.
        const { cacheHits, objectsRead } = fetched.take()
        assert.isAtLeast(objectsRead, 12 + 9)
        assert.isAtLeast(cacheHits, 12)
        assert.strictEqual(kept.take().objectsRead, 0)
      })
  )
})
