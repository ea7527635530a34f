import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { decodeMaskedImages } from "../../lib/data/masked-images.ts"
import { blobsOfSplit, type LabelledSplit } from "../../lib/data/PreparedSplit.ts"
import { readMaskShard } from "../../lib/data/shards.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { ImageDatasetValue, Split } from "../../stages/artifacts.ts"
import { encodeIndexPng, encodeOnes, pngChunk, pngHeader, pngOf } from "../support/indexPng.ts"
import {
  digestAsked,
  type Files,
  ingest,
  maskFile,
  maskSource,
  otherDigest,
  picture,
  preprocess,
  services
} from "../support/listedDatasets.ts"
import type { JobRecord } from "../support/stageServices.ts"

/** 0, 1 and 9, which is ignored, in turn. */
const indices = Uint8Array.from({ length: 48 }, (_, at) => [0, 1, 9][at % 3]!)

const line = (name: string) => `/home/me/img/${name}.ppm /home/me/annot/${name}.png\n`

/** Two good images with an image `b` between them, and one to test on; masks with a palette and without. */
const files: Files = {
  "train.txt": line("a") + line("b") + line("c"),
  "val.txt": "img/d.ppm annot/d.pgm",
  "img/a.ppm": picture(1),
  "img/b.ppm": picture(2),
  "img/c.ppm": picture(3),
  "img/d.ppm": picture(4),
  "annot/a.png": encodeIndexPng({ height: 6, width: 8, depth: 4, indices, palette: new Uint8Array(48) }),
  "annot/b.png": encodeIndexPng({ height: 6, width: 8, depth: 8, indices }),
  "annot/c.png": encodeIndexPng({ height: 6, width: 8, depth: 1, indices: new Uint8Array(48).fill(1) }),
  "annot/d.pgm": maskFile(indices)
}

/** As somebody would use it: without a digest first, then with the one that the error names. */
const ingested = Effect.flatMap(digestAsked(maskSource(otherDigest)), (digest) => ingest(maskSource(digest)))

const blobOf = (split: LabelledSplit | null) => blobsOfSplit(split!)[0]!.blob

const load = (split: LabelledSplit) =>
  Effect.flatMap(BlobStore, (store) => Effect.flatMap(store.get(blobsOfSplit(split)[0]!), decodeMaskedImages))

const origins = Effect.fnUntraced(function* (split: Split) {
  const shard = yield* (yield* BlobStore).get(split.shards[0]!)
  return (yield* readMaskShard("s", shard)).map(({ origin }) => origin)
})

describe("masks of class indices", () => {
  it.effect("images and masks are paired by the lists, however masks store their indices", () =>
    Effect.gen(function* () {
      const dataset = yield* ingested
      assert.strictEqual(dataset.task === "segmentation" && dataset.ignoreIndex, 9)
      assert.deepStrictEqual(yield* origins(dataset.splits.train!), ["img/a.ppm", "img/b.ppm", "img/c.ppm"])
      const prepared = yield* preprocess(dataset)
      assert.deepStrictEqual([prepared.task, prepared.preprocessing.fit], ["segmentation", "pad"])
      assert.deepStrictEqual([...prepared.quarantined, ...dataset.quarantined], [])
      const train = yield* load(prepared.train)
      const shown = indices.map((value) => (value === 9 ? 255 : value))
      assert.deepStrictEqual([...train.masks], [...shown, ...shown, ...new Array(48).fill(1)])
      assert.deepStrictEqual([train.images[0], train.images.at(-1)], [1, 3])
      assert.deepStrictEqual((yield* load(prepared.test)).masks, shown)
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("made larger and padded, padding is ignored and has the mean colour", () =>
    Effect.gen(function* () {
      const prepared = yield* preprocess(yield* ingested, { height: 16, width: 16 })
      const { images, masks } = yield* load(prepared.train)
      // 6 × 8 becomes 12 × 16; the images are 1, 2 and 3.
      assert.isTrue(masks.subarray(12 * 16, 16 * 16).every((value) => value === 255))
      assert.isTrue(images.subarray(12 * 48, 16 * 48).every((value) => value === 2))
      assert.deepStrictEqual([...masks.subarray(0, 6)], [0, 0, 1, 1, 255, 255])
      assert.closeTo(prepared.preprocessing.mean[0]! * 255, 2, 1e-9)
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("a source's own list of validation images is used", () =>
    Effect.gen(function* () {
      const source = (digest: string | null) => ({
        ...maskSource(digest),
        splits: { train: "train.txt", test: "val.txt", validation: "val.txt" }
      })
      const dataset = yield* ingest(source(yield* digestAsked(source(otherDigest))))
      const prepared = yield* preprocess(dataset, { validation: 0.1 })
      assert.deepStrictEqual([prepared.train.numExamples, prepared.validation?.numExamples], [3, 1])
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("otherwise one is cut from the training images, by the seed", () =>
    Effect.gen(function* () {
      const dataset = yield* ingested
      const cut = (seed: number) => preprocess(dataset, { validation: 0.34, seed })
      const first = yield* cut(0)
      assert.deepStrictEqual([first.train.numExamples, first.validation?.numExamples], [2, 1])
      assert.deepStrictEqual(yield* cut(0), first)
      const others = yield* Effect.forEach([1, 2, 3, 4], cut)
      assert.isTrue(others.some(({ validation }) => blobOf(validation) !== blobOf(first.validation)))
    }).pipe(Effect.provide(services(files)))
  )
})

/** `b` spoiled: what is set aside, and why. */
const spoiled = Effect.fnUntraced(function* (changes: Files, absent: ReadonlyArray<string> = []) {
  const record: JobRecord = { progress: [], notes: [] }
  const given = Object.entries({ ...files, ...changes }).filter(([name]) => !absent.includes(name))
  const start = performance.now()
  const found = yield* Effect.gen(function* () {
    const dataset: ImageDatasetValue = yield* ingested
    const prepared = yield* preprocess(dataset, { maxUnreadable: 0.5 })
    const { images } = yield* load(prepared.train)
    // The others are there, in order.
    assert.deepStrictEqual([images.length, images[0], images.at(-1)], [2 * 6 * 8 * 3, 1, 3])
    assert.strictEqual(prepared.test.numExamples, 1)
    const refused = yield* Effect.flip(preprocess(dataset))
    assert.match(refused.message, /1 of [34] images are unusable/)
    return prepared.quarantined
  }).pipe(Effect.provide(services(Object.fromEntries(given), record)))
  assert.isBelow(performance.now() - start, 5000)
  assert.strictEqual(found.length, 1)
  assert.match(record.notes.join("\n"), /1 (files were set aside|unusable images were left out)/)
  return `${found[0]!.file}: ${found[0]!.reason}`
})

const tooLarge =
  "it has 10000 × 10000 pixels (100 megapixels), at most 64 megapixels are read: " +
  "shrink it or cut it into pieces"

const claimed = pngOf(pngHeader(10_000, 10_000, 8, 2), pngChunk("IDAT", new Uint8Array(9)))

describe("masks and images that do not fit are left out with their reason, the others kept", () => {
  it.effect.each([
    [
      "a mask of another size",
      { "annot/b.png": encodeIndexPng({ height: 8, width: 6, depth: 8, indices }) },
      "img/b.ppm: its mask has 8 × 6 pixels (rows × columns), the image 6 × 8"
    ],
    [
      "an unknown index",
      { "annot/b.png": encodeIndexPng({ height: 6, width: 8, depth: 8, indices: indices.with(17, 2) }) },
      "img/b.ppm: its mask has index 2, which is no class (classes are 0 to 1, ignored is 9)"
    ],
    [
      "an image that is none",
      { "img/b.ppm": "no image" },
      "img/b.ppm: it is neither JPEG, PNG, WebP, PGM nor PPM"
    ],
    [
      "a mask as JPEG",
      { "annot/b.png": Uint8Array.of(0xff, 0xd8, 0xff, 0) },
      "annot/b.png: the mask is jpeg: class indices are read from PNG and PGM"
    ],
    [
      "a list that names no mask",
      { "train.txt": `${line("a")}img/b.ppm\n${line("c")}` },
      "img/b.ppm: its line in the list names no mask"
    ],
    ["an image of 100 megapixels", { "img/b.ppm": claimed }, `img/b.ppm: ${tooLarge}`],
    [
      "a mask of 100 megapixels in few bytes",
      { "annot/b.png": encodeOnes(10_000, 10_000) },
      `img/b.ppm: its mask cannot be read: ${tooLarge}`
    ]
  ] as ReadonlyArray<[string, Files, string]>)("%s", ([, changes, expected]) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* spoiled(changes), expected)
    })
  )

  it.effect.each([
    ["an image", "img/b.ppm", "img/b.ppm: the image is missing"],
    ["a mask", "annot/b.png", "annot/b.png: the mask is missing"]
  ] as const)("%s that is missing", ([, absent, expected]) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* spoiled({}, [absent]), expected)
    })
  )
})
