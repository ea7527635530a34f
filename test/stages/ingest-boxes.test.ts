import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readBoxShard } from "../../lib/data/shards.ts"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import type { Split } from "../../stages/artifacts.ts"
import {
  digestAsked,
  type Files,
  ingest,
  otherDigest,
  picture,
  plannedWith,
  preprocess,
  services,
  vocObject,
  vocSource,
  vocXml
} from "../support/listedDatasets.ts"
import type { JobRecord } from "../support/stageServices.ts"

const examplesOf = Effect.fnUntraced(function* (split: Split | undefined) {
  const store = yield* BlobStore
  const shards = yield* Effect.forEach(split!.shards, (shard) =>
    Effect.flatMap(store.get(shard), (bytes) => readBoxShard("s", bytes))
  )
  return shards.flat()
})

/** Two good images with an image `b` between them, and one to test on. */
const files: Files = {
  "ImageSets/Main/train.txt": "a\nb\nc\n",
  "ImageSets/Main/val.txt": "d\r\n",
  "JPEGImages/a.ppm": picture(1),
  "JPEGImages/b.ppm": picture(2),
  "JPEGImages/c.ppm": picture(3),
  "JPEGImages/d.ppm": picture(4),
  "JPEGImages/unlisted.ppm": picture(5),
  "Annotations/a.xml": vocXml(
    vocObject("dog", [1, 2, 8, 6]) + vocObject("cat", [3, 3, 4, 5], "<difficult>1</difficult>")
  ),
  "Annotations/b.xml": vocXml(vocObject("cat", [1, 1, 4, 4])),
  "Annotations/c.xml": vocXml(""),
  "Annotations/d.xml": vocXml(vocObject("dog", [2.5, 1, 8, 6]))
}

const without = (...names: ReadonlyArray<string>): Files =>
  Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)))

/** As somebody would use it: without a digest first, then with the one that the error names. */
const ingested = Effect.flatMap(digestAsked(vocSource(otherDigest)), (digest) => ingest(vocSource(digest)))

const origins = (split: Split | undefined) =>
  Effect.map(examplesOf(split), (examples) => examples.map(({ origin }) => origin))

describe("Pascal VOC", () => {
  it.effect("images and boxes come in the order of the lists, images without boxes too", () =>
    Effect.gen(function* () {
      const dataset = yield* ingested
      assert.strictEqual(dataset.task, "detection")
      assert.deepStrictEqual(dataset.classes, ["cat", "dog"])
      assert.deepStrictEqual(dataset.quarantined, [])
      const train = yield* examplesOf(dataset.splits.train)
      const size = { height: 6, width: 8 }
      assert.deepStrictEqual(
        train.map(({ annotation, bytes, origin }) => [origin, bytes.at(-1), annotation]),
        [
          [
            "JPEGImages/a.ppm",
            1,
            {
              ...size,
              boxes: [
                { classIndex: 1, box: [1, 0, 6, 8], difficult: false },
                { classIndex: 0, box: [2, 2, 5, 4], difficult: true }
              ]
            }
          ],
          [
            "JPEGImages/b.ppm",
            2,
            { ...size, boxes: [{ classIndex: 0, box: [0, 0, 4, 4], difficult: false }] }
          ],
          ["JPEGImages/c.ppm", 3, { ...size, boxes: [] }]
        ]
      )
      const [test] = yield* examplesOf(dataset.splits.test)
      assert.deepStrictEqual(test?.annotation.boxes[0]?.box, [0, 1.5, 6, 8])
    }).pipe(Effect.provide(services(files)))
  )

  const bomb = `<!DOCTYPE x [<!ENTITY a "ha">${Array.from({ length: 9 }, (_, at) => {
    const [name, of] = [String.fromCharCode(98 + at), String.fromCharCode(97 + at)]
    return `<!ENTITY ${name} "${`&${of};`.repeat(10)}">`
  }).join("")}]>${vocXml("<object><name>&j;</name></object>")}`

  it.effect.each([
    ["an entity bomb", { "Annotations/b.xml": bomb }, "Annotations/b.xml", /document type or entities/],
    [
      "an external entity",
      { "Annotations/b.xml": `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${vocXml("&e;")}` },
      "Annotations/b.xml",
      /document type or entities/
    ],
    [
      "an unknown class",
      { "Annotations/b.xml": vocXml(vocObject("horse", [1, 1, 2, 2])) },
      "Annotations/b.xml",
      /<object> 1 of 1 is of class "horse"; the known ones are cat, dog/
    ],
    [
      "XML that ends in the middle",
      { "Annotations/b.xml": "<annotation><obj" },
      "Annotations/b.xml",
      /XML: line 1: ./
    ],
    [
      "a coordinate that is no number",
      { "Annotations/b.xml": vocXml(vocObject("cat", [1, Number.NaN, 2, 2])) },
      "Annotations/b.xml",
      /<ymin> no number: "NaN"/
    ],
    ["no annotation", { "Annotations/b.xml": undefined }, "Annotations/b.xml", /the annotation is missing/],
    ["no image", { "JPEGImages/b.ppm": undefined }, "JPEGImages/b.jpg", /the image is missing/],
    ["an image that is none", { "JPEGImages/b.ppm": "<html>" }, "JPEGImages/b.ppm", /neither JPEG, PNG/]
  ] as ReadonlyArray<[string, Record<string, string | undefined>, string, RegExp]>)(
    "%s is set aside with its reason, quickly, and the others are kept",
    ([, changes, file, reason]) =>
      Effect.gen(function* () {
        const start = performance.now()
        const record: JobRecord = { progress: [], notes: [] }
        const changed = { ...without(...Object.keys(changes)), ...definedOf(changes) }
        yield* Effect.gen(function* () {
          const dataset = yield* ingested
          assert.deepStrictEqual(yield* origins(dataset.splits.train), [
            "JPEGImages/a.ppm",
            "JPEGImages/c.ppm"
          ])
          assert.strictEqual(dataset.splits.test?.numExamples, 1)
          assert.strictEqual(dataset.quarantined.length, 1)
          assert.strictEqual(dataset.quarantined[0]!.file, file)
          assert.match(dataset.quarantined[0]!.reason, reason)
          // One of four is too many unless it is allowed; then it stays listed.
          const refused = yield* Effect.flip(preprocess(dataset))
          assert.include(refused.message, `1 of 4 images are unusable, more than the fraction 0.01`)
          assert.include(refused.message, `first: ${file}: `)
          const prepared = yield* preprocess(dataset, { maxUnreadable: 0.25 })
          assert.deepStrictEqual(prepared.quarantined, dataset.quarantined)
          assert.strictEqual(prepared.train.numExamples, 2)
        }).pipe(Effect.provide(services(changed, record)))
        assert.include(record.notes.join("\n"), "1 files were set aside")
        assert.isBelow(performance.now() - start, 5000)
      })
  )
})

const definedOf = (changes: Readonly<Record<string, string | undefined>>): Files =>
  Object.fromEntries(
    Object.entries(changes).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]]))
  )

describe("Pascal VOC that is no dataset", () => {
  it.effect.each([
    [
      "the list is missing",
      without("ImageSets/Main/val.txt"),
      'split "test" should be listed in "ImageSets/Main/val.txt", which is not there'
    ],
    [
      "the list is empty",
      { ...files, "ImageSets/Main/val.txt": "\n" },
      'split "test" has no usable image (its list is empty)'
    ],
    [
      "none of a split can be used",
      without("JPEGImages/b.ppm", "Annotations/d.xml"),
      'split "test" has no usable image (first: Annotations/d.xml: the annotation is missing)'
    ]
  ] as const)("%s: refused", ([, given, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(ingested)
      assert.strictEqual(error.message, `Dataset "/cats" cannot be used: ${reason}`)
    }).pipe(Effect.provide(services(given)))
  )
})

describe("the digest of listed files", () => {
  it.effect("is asked for where it is wrong, or missing for an archive", () =>
    Effect.gen(function* () {
      const digest = yield* digestAsked(vocSource(otherDigest))
      const archive = { _tag: "Archive", name: "cats", root: "cats", locations: [], digest: null } as const
      const none = yield* Effect.flip(ingest({ ...vocSource(null), files: archive }))
      const wrong = yield* Effect.flip(ingest(vocSource(otherDigest)))
      for (const { message } of [none, wrong]) assert.include(message, `write digest: "${digest}"`)
      assert.include(wrong.message, `not ${otherDigest}`)
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("is not asked for of a folder, which is what it was when the run was planned", () =>
    Effect.gen(function* () {
      const { externals } = plannedWith(files)
      const record = { progress: [], notes: [], externals }
      const taken = yield* ingest(vocSource(null)).pipe(Effect.provide(services(files, record)))
      assert.deepStrictEqual(taken, yield* ingested)
      const edited = { ...files, "JPEGImages/unlisted.ppm": "other" }
      const refused = Effect.flip(ingest(vocSource(null)))
      const { message } = yield* refused.pipe(Effect.provide(services(edited, record)))
      assert.include(message, "changed since the run was planned")
    }).pipe(Effect.provide(services(files)))
  )

  it.effect("is that of the files in use: lists, images, annotations", () =>
    Effect.gen(function* () {
      const asked = (given: Files) =>
        digestAsked(vocSource(otherDigest)).pipe(Effect.provide(services(given)))
      const digest = yield* asked(files)
      assert.strictEqual(yield* asked(without("JPEGImages/unlisted.ppm")), digest)
      for (const used of ["ImageSets/Main/train.txt", "JPEGImages/a.ppm", "Annotations/d.xml"]) {
        const changed = { ...files, [used]: `${files[used]} ` }
        assert.notStrictEqual(yield* asked(changed), digest, used)
      }
    })
  )
})

describe("boxes that cannot be right", () => {
  it.effect("are clipped, or dropped where nothing is left; both are counted and their files named", () =>
    Effect.gen(function* () {
      const record: JobRecord = { progress: [], notes: [] }
      const boxes = [
        vocObject("cat", [-2, 1, 5, 9]),
        vocObject("cat", [40, 40, 60, 60]),
        vocObject("dog", [5, 5, 5, 5]),
        vocObject("dog", [7, 3, 2, 5]),
        vocObject("dog", [2, 2, 7, 5])
      ]
      const given = { ...files, "Annotations/b.xml": vocXml(boxes.join("")) }
      yield* Effect.gen(function* () {
        const prepared = yield* preprocess(yield* ingested)
        assert.deepStrictEqual(prepared.counts, { boxesClipped: 1, boxesDropped: 3 })
        assert.deepStrictEqual([prepared.train.numExamples, prepared.quarantined.length], [3, 0])
      }).pipe(Effect.provide(services(given, record)))
      assert.deepStrictEqual(record.notes, [
        "1 boxes reached beyond their image and were clipped (JPEGImages/b.ppm)",
        "3 boxes were dropped: outside of their image, empty or of one pixel (JPEGImages/b.ppm)"
      ])
    })
  )
})
