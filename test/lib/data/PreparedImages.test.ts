import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { boxesOfImage, decodeBoxedImages, encodeBoxedImages } from "../../../lib/data/boxed-images.ts"
import { boxedOf, PreparedImages } from "../../../lib/data/PreparedImages.ts"
import type { Prepared, PreparedBoxes } from "../../../lib/data/prepare-example.ts"

const size = { height: 2, width: 2, channels: 3 } as const

/** An image with so many boxes; all that is in it tells which image it is. */
const example = (index: number, numBoxes: number): Prepared<PreparedBoxes> => ({
  pixels: new Uint8Array(12).fill(index),
  extent: { rows: 1 + (index % 2), columns: 2 },
  about: {
    file: `${index}.jpg`,
    boxes: Float32Array.from({ length: numBoxes * 4 }, (_, at) => index + at),
    classes: Array.from({ length: numBoxes }, (_, box) => index * 10 + box),
    difficult: Array.from({ length: numBoxes }, (_, box) => box % 2 === 1),
    numClipped: 0,
    numDropped: 0
  }
})

const counts = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 })))

describe("prepared images", () => {
  it.effect.prop(
    "keep what belongs together when some are picked, written and read",
    {
      numBoxes: counts,
      order: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 })))
    },
    ({ numBoxes, order }) =>
      Effect.gen(function* () {
        const all = new PreparedImages<PreparedBoxes>(numBoxes.length + 3, size)
        const examples = numBoxes.map((count, index) => example(index, count))
        for (const one of examples) all.add(one)
        const picked = numBoxes.length === 0 ? [] : order.map((at) => at % numBoxes.length)
        const split = yield* decodeBoxedImages(encodeBoxedImages(boxedOf(all.pick(picked))))
        picked.forEach((index, at) => {
          const { about, extent, pixels } = examples[index]!
          assert.deepStrictEqual(split.images.subarray(at * 12, at * 12 + 12), pixels)
          assert.deepStrictEqual(
            [...split.extents.subarray(at * 2, at * 2 + 2)],
            [extent.rows, extent.columns]
          )
          const { boxes, classes, difficult } = boxesOfImage(split, at)
          assert.deepStrictEqual(boxes, about.boxes)
          assert.deepStrictEqual([...classes], about.classes)
          assert.deepStrictEqual([...difficult], about.difficult.map(Number))
        })
        assert.strictEqual(split.images.length, picked.length * 12)
        assert.strictEqual(split.offsets.length, picked.length + 1)
      })
  )
})
