import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  Annotation,
  type Example,
  readBoxShard,
  readMaskShard,
  readShard,
  ShardWriter
} from "../../../lib/data/shards.ts"
import { readTar } from "../../../lib/data/tar.ts"
import { writeTar } from "../../../lib/data/tar-writer.ts"

const encoder = new TextEncoder()

const shardsOf = (images: ReadonlyArray<Example>, bytesMax?: number) => {
  const writer = new ShardWriter(bytesMax)
  return [...images.map((image) => writer.add(image)), writer.finish()].filter((shard) => shard !== undefined)
}

describe("shards", () => {
  it.effect.prop(
    "images come back in order, however they are cut",
    {
      labels: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))),
      perShard: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4 }))
    },
    ({ labels, perShard }) =>
      Effect.gen(function* () {
        const images = labels.map((label, index) => ({
          name: "x.jpg",
          bytes: Uint8Array.of(index, label),
          label
        }))
        // A two-byte image and its label take two headers and two blocks.
        const shards = shardsOf(images, perShard * 2048)
        assert.strictEqual(shards.length, Math.ceil(images.length / perShard))
        const back = (yield* Effect.forEach(shards, (shard) => readShard("s", shard))).flat()
        assert.deepStrictEqual(
          back.map(({ label, bytes }) => [label, ...bytes]),
          images.map(({ label, bytes }) => [label, ...bytes])
        )
      })
  )

  it.effect("members are named in WebDataset's way, and the origin is kept", () =>
    Effect.gen(function* () {
      const image = { name: "a.b/Rex.JPG", origin: "a.b/Rex.JPG", bytes: Uint8Array.of(1), label: 3 }
      const [shard] = shardsOf([image])
      const names = (yield* readTar("s", shard!)).map(({ name }) => name)
      assert.deepStrictEqual(names, ["000000.jpg", "000000.path", "000000.cls"])
      assert.deepStrictEqual((yield* readShard("s", shard!))[0]?.origin, "a.b/Rex.JPG")
    })
  )

  it.effect("other members of an example are passed over", () =>
    Effect.gen(function* () {
      const shard = writeTar([
        { name: "7.ppm", bytes: Uint8Array.of(1) },
        { name: "7.mask.pgm", bytes: Uint8Array.of(2) },
        { name: "7.json", bytes: Uint8Array.of(3) },
        { name: "7.cls", bytes: encoder.encode("5") }
      ])
      const [only, ...others] = yield* readShard("s", shard)
      assert.deepStrictEqual([only?.label, only?.bytes[0], others.length], [5, 1, 0])
    })
  )

  it.effect("a label that is no number, or has no image, is refused", () =>
    Effect.gen(function* () {
      const label = (text: string) => ({ name: "1.cls", bytes: encoder.encode(text) })
      const image = { name: "1.png", bytes: Uint8Array.of(1) }
      const wrong = yield* Effect.flip(readShard("s", writeTar([image, label("cat")])))
      assert.include(wrong.message, 'it says "cat"')
      const alone = yield* Effect.flip(readShard("s", writeTar([label("1")])))
      assert.include(alone.message, '"1.cls" has no image before it')
    })
  )
})

const boxesJson = (box: ReadonlyArray<unknown>): string =>
  JSON.stringify({ height: 1, width: 1, boxes: [{ classIndex: 0, box, difficult: false }] })

const number = Schema.Int.check(Schema.isBetween({ minimum: -50, maximum: 5000 }))
const RandomAnnotation = Schema.Struct({
  ...Annotation.fields,
  boxes: Schema.Array(
    Schema.Struct({
      classIndex: number,
      box: Schema.Tuple([number, Schema.Finite, number, Schema.Finite]),
      difficult: Schema.Boolean
    })
  )
})

describe("shards with boxes", () => {
  it.effect.prop(
    "boxes come back as they were, to the bit",
    { annotations: Schema.Array(RandomAnnotation) },
    ({ annotations }) =>
      Effect.gen(function* () {
        const images = annotations.map((annotation) => ({
          name: "x.png",
          origin: "a/x.png",
          bytes: Uint8Array.of(7),
          annotation
        }))
        const shards = yield* Effect.forEach(shardsOf(images, 4096), (shard) => readBoxShard("s", shard))
        const back = shards.flat()
        // JSON has no −0, and no box needs it.
        const plain = JSON.parse(JSON.stringify(annotations))
        assert.deepStrictEqual(
          back.map(({ annotation }) => annotation),
          plain
        )
        assert.isTrue(back.every(({ origin }) => origin === "a/x.png"))
      })
  )

  it.effect.each([
    ["no JSON", "{", "Unterminated|JSON"],
    ["boxes of three numbers", boxesJson([1, 2, 3]), "box"],
    ["coordinates that are texts", boxesJson(["1", 2, 3, 4]), "box"],
    ["no boxes", '{"height":1,"width":1}', "boxes"]
  ] as const)("refuses %s", ([, text, reason]) =>
    Effect.gen(function* () {
      const shard = writeTar([
        { name: "1.png", bytes: Uint8Array.of(1) },
        { name: "1.boxes.json", bytes: encoder.encode(text) }
      ])
      const error = yield* Effect.flip(readBoxShard("s", shard))
      assert.match(error.message, new RegExp(`"s/1.boxes.json" is not valid boxes: .*(${reason})`, "s"))
    })
  )
})

describe("shards with masks", () => {
  it.effect("mask and image come back with the endings they came with", () =>
    Effect.gen(function* () {
      const mask = (name: string, byte: number) => ({ name, bytes: Uint8Array.of(byte) })
      const [shard] = shardsOf([
        { name: "x.jpg", origin: "x.jpg", bytes: Uint8Array.of(1), mask: mask("annot/x.png", 2) },
        { name: "y.ppm", bytes: Uint8Array.of(3), mask: mask("y.pgm", 4) }
      ])
      assert.deepStrictEqual(yield* readMaskShard("s", shard!), [
        { name: "000000.jpg", origin: "x.jpg", bytes: Uint8Array.of(1), mask: mask("000000.mask.png", 2) },
        { name: "000001.ppm", bytes: Uint8Array.of(3), mask: mask("000001.mask.pgm", 4) }
      ])
      assert.deepStrictEqual(yield* readShard("s", shard!), [])
    })
  )
})
