/** Classification datasets that come packed: CIFAR's batches, and folders of images as archives. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { DatasetInvalid } from "../../lib/data/DatasetInvalid.ts"
import { readShard } from "../../lib/data/shards.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { Split } from "../../stages/artifacts.ts"
import {
  digestAsked,
  ingest,
  otherDigest,
  plannedWith,
  preprocess,
  services
} from "../support/listedDatasets.ts"
import { jobLayer } from "../support/stageServices.ts"

const examplesOf = Effect.fnUntraced(function* (split: Split | undefined) {
  const store = yield* BlobStore
  const shards = yield* Effect.forEach(split!.shards, (shard) =>
    Effect.flatMap(store.get(shard), (bytes) => readShard("s", bytes))
  )
  return shards.flat()
})

describe("CIFAR-10", () => {
  /** One image of this class, all of whose values are `value`. */
  const batch = (label: number, value: number) =>
    Uint8Array.from([label, ...new Uint8Array(3072).fill(value)])
  const files = {
    ...Object.fromEntries(
      [1, 2, 3, 4, 5].map((number) => [`data_batch_${number}.bin`, batch(number % 2, number)])
    ),
    "test_batch.bin": batch(1, 9),
    "readme.html": new Uint8Array(3)
  }
  const withoutFourth = Object.fromEntries(
    Object.entries(files).filter(([name]) => name !== "data_batch_4.bin")
  )
  const source = (digest: string | null) => ({
    _tag: "Cifar" as const,
    files: {
      _tag: "Archive" as const,
      name: "cifar",
      root: "",
      locations: [{ _tag: "Mirror" as const, path: "cifar.tar.gz" }],
      digest
    },
    classes: ["even", "odd"]
  })

  it.effect("the five batches are trained on, the sixth is tested on", () =>
    Effect.gen(function* () {
      const digest = yield* digestAsked(source(null))
      const dataset = yield* ingest(source(digest))
      assert.deepStrictEqual(dataset.classes, ["even", "odd"])
      const train = yield* examplesOf(dataset.splits.train)
      assert.deepStrictEqual(
        train.map(({ bytes, label }) => [bytes.at(-1), label]),
        [
          [1, 1],
          [2, 0],
          [3, 1],
          [4, 0],
          [5, 1]
        ]
      )
      const prepared = yield* preprocess(dataset, { height: 32, width: 32 })
      assert.strictEqual(prepared.test.numExamples, 1)
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("a folder counts by what was there when the run was planned", () =>
    Effect.gen(function* () {
      const folder = { ...source(null), files: { _tag: "Folder" as const, path: "/cifar" } }
      const dataset = yield* ingest(folder).pipe(
        Effect.provide(jobLayer({ progress: [], notes: [], ...plannedWith(files) }))
      )
      assert.strictEqual(dataset.splits.test?.numExamples, 1)
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("a batch that is missing is named", () =>
    Effect.gen(function* () {
      const error = (yield* Effect.flip(ingest(source(otherDigest)))) as DatasetInvalid
      assert.include(error.message, 'it has no file "data_batch_4.bin"')
    }).pipe(Effect.provide(services(withoutFourth)))
  )
})

describe("a packed folder of images", () => {
  const jpeg = (byte: number) => Uint8Array.of(0xff, 0xd8, 0xff, byte)
  const images = {
    "train/cat/1.jpg": jpeg(1),
    "train/dog/1.jpg": jpeg(2),
    "test/cat/2.jpg": jpeg(3),
    "test/dog/2.jpg": jpeg(4)
  }
  const within = (folder: string, more: Record<string, Uint8Array> = {}) =>
    Object.fromEntries(Object.entries({ ...more, ...images }).map(([path, bytes]) => [folder + path, bytes]))
  const source = (digest: string | null) => ({
    _tag: "ImageArchive" as const,
    name: "pets",
    root: "",
    locations: [{ _tag: "Mirror" as const, path: "pets.tar" }],
    digest
  })
  const packed = within("pets/")
  const byGitHub = within("pets-0a1b2c/", { "README.md": new Uint8Array(5) })

  it.effect("is the same dataset however it is packed, and whatever lies beside its images", () =>
    Effect.gen(function* () {
      const digest = yield* Effect.provide(digestAsked(source(null)), services(packed))
      const both = yield* Effect.forEach([packed, byGitHub], (files) =>
        Effect.provide(ingest(source(digest)), services(files))
      )
      assert.deepStrictEqual(both[0], both[1])
      assert.deepStrictEqual(both[0]!.classes, ["cat", "dog"])
      assert.deepStrictEqual(
        Object.entries(both[0]!.splits).map(([name, { numExamples }]) => [name, numExamples]),
        [
          ["train", 2],
          ["test", 2]
        ]
      )
    })
  )

  it.effect("of other images than the pipeline names is refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ingest(source(otherDigest)))
      assert.strictEqual(error._tag, "FolderChanged")
      assert.include(error.message, `is not ${otherDigest}, which the pipeline names`)
    }).pipe(Effect.provide(services(packed)))
  )
})
