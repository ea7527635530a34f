import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { imagenetFiles } from "../../lib/data/imagenet.ts"
import { readShard } from "../../lib/data/shards.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { ImageDatasetValue, Split } from "../../stages/artifacts.ts"
import { type Files, ingest, plannedWith, services } from "../support/listedDatasets.ts"
import {
  type Miniature,
  officialArchives,
  unpackedFolder,
  wordnetIdsOf
} from "../support/miniatureImageNet.ts"
import { jobLayer } from "../support/stageServices.ts"

const miniature: Miniature = {
  numClasses: 12,
  imagesPerClass: 2,
  validationPerClass: 1,
  image: (label, index) => Uint8Array.of(0xff, 0xd8, 0xff, label, index)
}

const archives: Files = Object.fromEntries(officialArchives(miniature))
const folder: Files = Object.fromEntries(unpackedFolder(miniature))

const ingested = (source: Parameters<typeof ingest>[0], files: Files) =>
  Effect.gen(function* () {
    const dataset = yield* ingest(source).pipe(
      Effect.provide(jobLayer({ progress: [], notes: [], ...plannedWith(files) }))
    )
    return { dataset, train: yield* examplesOf(dataset, "train"), test: yield* examplesOf(dataset, "test") }
  }).pipe(Effect.provide(services(files)))

const examplesOf = Effect.fnUntraced(function* (dataset: ImageDatasetValue, name: string) {
  const { shards }: Split = dataset.splits[name]!
  const store = yield* BlobStore
  const read = yield* Effect.forEach(shards, (shard) =>
    Effect.flatMap(store.get(shard), (bytes) => readShard("s", bytes))
  )
  return read.flat().map(({ bytes, label, origin }) => ({ origin, label, bytes: [...bytes] }))
})

const official = { _tag: "ImageNet", path: "/imagenet" } as const
const unpacked = { _tag: "ImageFolder", path: "/imagenet", testOnValidation: true } as const

describe("ILSVRC2012", () => {
  it.effect("the official archives give the images and labels that the unpacked folder does", () =>
    Effect.gen(function* () {
      const [packed, plain] = [yield* ingested(official, archives), yield* ingested(unpacked, folder)]
      assert.deepStrictEqual(packed.dataset.classes, wordnetIdsOf(miniature))
      assert.deepStrictEqual(plain.dataset.classes, packed.dataset.classes)
      const sorted = (examples: typeof plain.test) =>
        [...examples].sort((a, b) => (a.origin! < b.origin! ? -1 : 1))
      for (const split of ["train", "test"] as const) {
        assert.deepStrictEqual(sorted(packed[split]), sorted(plain[split]))
        for (const { bytes, label } of packed[split]) assert.strictEqual(bytes[3], label)
      }
      assert.deepStrictEqual([packed.train.length, packed.test.length], [24, 12])
    })
  )

  it.effect("fewer images than the kit counts are taken, and said", () =>
    Effect.gen(function* () {
      const fewer = Object.fromEntries(officialArchives({ ...miniature, imagesPerClass: 1 }))
      const notes: Array<string> = []
      const files = { ...archives, [imagenetFiles.train]: fewer[imagenetFiles.train]! }
      yield* ingest(official).pipe(
        Effect.provide(jobLayer({ progress: [], notes, ...plannedWith(files) })),
        Effect.provide(services(files))
      )
      assert.deepStrictEqual(notes, [
        "ILSVRC2012_img_train.tar has 12 images, the development kit counts 24: is it complete?"
      ])
    })
  )

  const without = (name: string) =>
    Object.fromEntries(Object.entries(archives).filter(([key]) => key !== name))
  const other = Object.fromEntries(officialArchives({ ...miniature, numClasses: 11 }))

  it.effect.each([
    ["a missing file", without(imagenetFiles.kit), `it has no file "${imagenetFiles.kit}"`],
    [
      "a kit of other classes",
      { ...archives, [imagenetFiles.kit]: other[imagenetFiles.kit]! },
      '"n00000111.tar" is not the archive of one of the 11 classes of the kit'
    ],
    [
      "more validation images than the kit knows",
      { ...other, [imagenetFiles.validation]: archives[imagenetFiles.validation]! },
      '"ILSVRC2012_val_00000012.JPEG" is none of the 11 images that the kit knows the class of'
    ],
    [
      "an archive cut short",
      { ...archives, [imagenetFiles.train]: (archives[imagenetFiles.train] as Uint8Array).subarray(0, 5000) },
      "truncated"
    ]
  ] as const)("%s is refused", ([, files, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ingested(official, files))
      assert.include(error.message, reason)
    })
  )
})
