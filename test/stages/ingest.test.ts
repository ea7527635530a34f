import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { digestOf, hasherLayer } from "../../infra/hashing.ts"
import { layer as codecLayer } from "../../infra/images/SharpImageCodec.ts"
import { layer as sourcesLayer } from "../../infra/sources/VerifiedSourceFiles.ts"
import { encodeNetpbm } from "../../lib/data/formats/netpbm.ts"
import { decodeLabelledImages } from "../../lib/data/labelled-images.ts"
import { blobsOfSplit } from "../../lib/data/PreparedSplit.ts"
import { type SourceFile, SourceFiles, SourceUnavailable } from "../../lib/data/SourceFiles.ts"
import { readShard } from "../../lib/data/shards.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { Digest } from "../../lib/storage/Digest.ts"
import type { Split } from "../../stages/artifacts.ts"
import { run } from "../../stages/ingest.run.ts"
import { Ingest, IngestParams } from "../../stages/ingest.ts"
import { run as preprocess } from "../../stages/preprocess.run.ts"
import { PreprocessParams } from "../../stages/preprocess.ts"
import { memoryFolder } from "../support/memoryFolder.ts"
import { blobsLayer, type JobRecord, jobLayer } from "../support/stageServices.ts"

type Source = (typeof IngestParams.Encoded)["source"]

const ingest = (source: Source) => run({ params: Schema.decodeSync(IngestParams)({ source }) })

/** Files by name, and one folder. */
const sourcesOf = (files: Readonly<Record<string, Uint8Array>>) =>
  Layer.succeed(SourceFiles, {
    fetch: ({ name }) =>
      files[name] === undefined
        ? Effect.fail(new SourceUnavailable({ file: name, attempts: [], transient: false }))
        : Effect.succeed(files[name]),
    archive: () => Effect.succeed(new Map(Object.entries(files))),
    folder: () => Effect.succeed(memoryFolder(new Map(Object.entries(files)))),
    file: () => Effect.die("no file of the user's is read here")
  })

const services = (files: Readonly<Record<string, Uint8Array>> = {}, record?: JobRecord) =>
  Layer.mergeAll(blobsLayer, jobLayer(record), codecLayer, sourcesOf(files))

const examplesOf = Effect.fnUntraced(function* (split: Split | undefined) {
  const store = yield* BlobStore
  const shards = yield* Effect.forEach(split!.shards, (shard) =>
    Effect.flatMap(store.get(shard), (bytes) => readShard("s", bytes))
  )
  return shards.flat()
})

const bigEndian = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
const idx = (dims: ReadonlyArray<number>, values: ReadonlyArray<number>) =>
  Uint8Array.from([...bigEndian(0x0800 + dims.length), ...dims.flatMap(bigEndian), ...values])

const named = (name: string, sha256 = digestOf("")): SourceFile => ({
  name,
  sha256,
  compression: "gzip",
  locations: [{ _tag: "Mirror", path: `fashion-mnist.tar/${name}.gz` }]
})

const idxSource = (classes: ReadonlyArray<string>): Source => ({
  _tag: "Idx",
  classes,
  files: {
    trainImages: named("ti"),
    trainLabels: named("tl"),
    testImages: named("vi"),
    testLabels: named("vl")
  }
})

const tiny = {
  ti: idx([3, 1, 2], [1, 2, 3, 4, 5, 6]),
  tl: idx([3], [1, 0, 1]),
  vi: idx([1, 1, 2], [7, 8]),
  vl: idx([1], [0])
}

describe("IDX", () => {
  it.effect("every image becomes a PGM member beside its label", () =>
    Effect.gen(function* () {
      const dataset = yield* ingest(idxSource(["a", "b"]))
      const train = yield* examplesOf(dataset.splits.train)
      assert.deepStrictEqual(
        train.map(({ name, bytes, label }) => [name, [...bytes.subarray(-2)], label]),
        [
          ["000000.pgm", [1, 2], 1],
          ["000001.pgm", [3, 4], 0],
          ["000002.pgm", [5, 6], 1]
        ]
      )
      assert.strictEqual(dataset.splits.test?.numExamples, 1)
    }).pipe(Effect.provide(services(tiny)))
  )

  it.effect.each([
    [
      "images and labels of different number",
      { ...tiny, tl: idx([2], [0, 1]) },
      "3 images, but tl has 2 labels"
    ],
    ["a lying header", { ...tiny, vi: idx([2, 1, 2], [7, 8]) }, '"vi" is not valid IDX: its header promises'],
    ["a label beyond the classes", { ...tiny, vl: idx([1], [2]) }, "label 0 is 2, but there are 2 classes"],
    ["an absent file", { ti: tiny.ti }, '"tl" could not be had']
  ] as const)("refuses %s", ([, files, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ingest(idxSource(["a", "b"])))
      assert.include(error.message, reason)
    }).pipe(Effect.provide(services(files)))
  )

  it("classes without names are refused while the pipeline is built", () =>
    assert.throws(() => Schema.decodeSync(IngestParams)({ source: idxSource(["only one"]) })))
})

describe("scenes", () => {
  const scenes = (numTrain: number): Source => ({ _tag: "Scenes", seed: 3, size: 16, numTrain, numTest: 8 })

  it.effect(
    "are balanced, repeatable, and tested on images that do not depend on how many are trained on",
    () =>
      Effect.gen(function* () {
        const record: JobRecord = { progress: [], notes: [] }
        const dataset = yield* ingest(scenes(16)).pipe(Effect.provide(jobLayer(record)))
        assert.deepStrictEqual(dataset.classes.length, 8)
        const labels = (yield* examplesOf(dataset.splits.train)).map(({ label }) => label)
        assert.deepStrictEqual(labels, [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7])
        assert.deepStrictEqual(yield* ingest(scenes(16)), dataset)
        assert.deepStrictEqual((yield* ingest(scenes(24))).splits.test, dataset.splits.test)
        assert.deepStrictEqual(record.progress.at(-1), {
          phase: "test",
          done: 8,
          total: 8,
          unit: "images",
          facts: {}
        })
      }).pipe(Effect.provide(services()))
  )
})

describe("image folder", () => {
  const jpeg = (byte: number) => Uint8Array.of(0xff, 0xd8, 0xff, byte)
  const folder = (digest: string | null): Source => ({
    _tag: "ImageFolder",
    path: "/pets",
    digest,
    testFraction: 0.5
  })
  const files = {
    "cat/1.jpg": jpeg(1),
    "cat/2.jpg": jpeg(2),
    "dog/1.jpg": jpeg(3),
    "dog/2.jpg": jpeg(4),
    "dog/broken.jpg": new TextEncoder().encode("<html>"),
    "dog/notes.txt": new Uint8Array()
  }
  const { digest } = memoryFolder(new Map(Object.entries(files)))
  /** A job that was planned with the folder as `planned` says. */
  const job = (planned: Digest, record: Partial<JobRecord> = {}) =>
    jobLayer({ progress: [], notes: [], ...record, externals: { images: planned } })

  it.effect("cuts a test split off every class, keeps bytes and origin, sets non-images aside", () =>
    Effect.gen(function* () {
      const record: JobRecord = { progress: [], notes: [] }
      const dataset = yield* ingest(folder(null)).pipe(Effect.provide(job(digest, record)))
      const train = yield* examplesOf(dataset.splits.train)
      const test = yield* examplesOf(dataset.splits.test)
      assert.deepStrictEqual(new Set(test.map(({ label }) => label)), new Set([0, 1]))
      for (const { origin, bytes, label } of [...train, ...test]) {
        assert.deepStrictEqual(bytes, files[origin as keyof typeof files])
        assert.strictEqual(dataset.classes[label], origin!.split("/")[0])
      }
      assert.deepStrictEqual(dataset.quarantined, [
        { file: "dog/broken.jpg", reason: "it is neither JPEG, PNG, WebP, PGM nor PPM" }
      ])
      assert.include(record.notes.join("\n"), "notes.txt")
      assert.include(record.notes.join("\n"), "1 files were set aside")
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("an image that would fill a shard alone goes into the store as it is, in its place", () =>
    Effect.gen(function* () {
      const side = 3500
      const pixels = new Uint8Array(side * side * 3).fill(200)
      const large = encodeNetpbm({ pixels, height: side, width: side, channels: 3 })
      const small = (value: number) =>
        encodeNetpbm({ pixels: new Uint8Array(12).fill(value), height: 2, width: 2, channels: 3 })
      const names = ["train/cat/1", "train/cat/2", "train/cat/3", "train/dog/1", "test/cat/1"]
      const contents = Object.fromEntries(names.map((name, at) => [`${name}.ppm`, small(at)]))
      contents["train/cat/2.ppm"] = large
      yield* Effect.gen(function* () {
        const planned = memoryFolder(new Map(Object.entries(contents))).digest
        const dataset = yield* ingest(folder(null)).pipe(Effect.provide(job(planned)))
        const [before, single, after] = dataset.splits.train!.shards
        assert.deepStrictEqual(single, {
          blob: digestOf(large),
          sizeBytes: large.length,
          single: { name: "train/cat/2.ppm", origin: "train/cat/2.ppm", label: 0 }
        })
        assert.isTrue(before!.single === undefined && after!.single === undefined)
        assert.strictEqual(dataset.splits.train?.numExamples, 4)
        const params = { height: 2, width: 2, channels: 3, validation: 0 } as const
        const prepared = yield* preprocess({
          params: Schema.decodeSync(PreprocessParams)(params),
          inputs: { dataset }
        })
        const tensors = yield* (yield* BlobStore).get(blobsOfSplit(prepared.train)[0]!)
        const { images, labels } = yield* decodeLabelledImages(tensors)
        assert.deepStrictEqual([...labels], [0, 0, 0, 1])
        assert.deepStrictEqual(
          [0, 12, 24, 36].map((at) => images[at]),
          [0, 200, 2, 3]
        )
      }).pipe(Effect.provide(services(contents)))
    })
  )

  it.effect.each([
    [digestOf("other"), `write digest: "${digest}"`],
    [null, "changed since the run was planned"]
  ] as const)("content that is not the one named (%s) or planned with is refused", ([named, words]) =>
    Effect.gen(function* () {
      const refused = Effect.flip(ingest(folder(named)))
      const error = yield* refused.pipe(Effect.provide(job(digestOf("other"))))
      assert.strictEqual(error._tag, "FolderChanged")
      assert.include(error.message, words)
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("says to read its folder from outside, and what to leave out of the key for it", () =>
    Effect.sync(() => {
      const externals = (named: string | null) =>
        Ingest.externals!(Schema.decodeSync(IngestParams)({ source: folder(named) }))
      const images = {
        name: "images",
        kind: "folder",
        path: "/pets",
        standsFor: ["source.path", "source.digest"]
      } as const
      assert.deepStrictEqual(externals(null), [images])
      assert.deepStrictEqual(externals(digest), [{ ...images, pinned: digest }])
    })
  )
})

const data = process.env.DISTILLERY_MIRROR ?? fileURLToPath(new URL("../../../shared/data", import.meta.url))
const hasFashionMnist = existsSync(`${data}/fashion-mnist.tar`)

describe.skipIf(!hasFashionMnist)("Fashion-MNIST from the mirror (skipped without fashion-mnist.tar)", () => {
  const sources = sourcesLayer({
    mirror: data,
    cacheFolder: "/nowhere",
    inputs: { projectDir: "/", folder: "/nowhere" }
  }).pipe(Layer.provide(hasherLayer))
  const file = (name: string, hex: string) => named(name, `sha256:${hex}` as SourceFile["sha256"])
  const source: Source = {
    _tag: "Idx",
    classes: ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"],
    files: {
      trainImages: file(
        "train-images-idx3-ubyte",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
      ),
      trainLabels: file(
        "train-labels-idx1-ubyte",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
      ),
      testImages: file(
        "t10k-images-idx3-ubyte",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
      ),
      testLabels: file(
        "t10k-labels-idx1-ubyte",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
      )
    }
  }

  it.live(
    "60,000 and 10,000 images with the published mean and deviation, in less than 20 s of computing",
    () =>
      Effect.gen(function* () {
        // Of this process: the clock on the wall also counts what else the machine does.
        const start = process.cpuUsage()
        const dataset = yield* ingest(source)
        const params = Schema.decodeSync(PreprocessParams)({
          height: 28,
          width: 28,
          channels: 1,
          validation: 0
        })
        const prepared = yield* preprocess({ params, inputs: { dataset } })
        assert.deepStrictEqual([prepared.train.numExamples, prepared.test.numExamples], [60_000, 10_000])
        // 0.2860 and 0.3530 stand in nearly every published recipe for this dataset.
        assert.strictEqual(prepared.preprocessing.mean[0]?.toFixed(4), "0.2860")
        assert.strictEqual(prepared.preprocessing.std[0]?.toFixed(4), "0.3530")
        const { system, user } = process.cpuUsage(start)
        assert.isBelow(system + user, 20e6)
      }).pipe(Effect.provide(Layer.mergeAll(blobsLayer, jobLayer(), codecLayer, sources)))
  )
})
