import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { type LabelledImage, readShard, ShardWriter } from "../../../lib/data/shards.ts"
import { readTar } from "../../../lib/data/tar.ts"
import { writeTar } from "../../../lib/data/tar-writer.ts"

const encoder = new TextEncoder()

const shardsOf = (images: ReadonlyArray<LabelledImage>, bytesMax?: number) => {
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
