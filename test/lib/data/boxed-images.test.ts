import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  type BoxedImages,
  boxesOfImage,
  decodeBoxedImages,
  encodeBoxedImages
} from "../../../lib/data/boxed-images.ts"
import { encodeMaskedImages } from "../../../lib/data/masked-images.ts"

/** Three images: two boxes, none, one. */
const split: BoxedImages = {
  images: Uint8Array.from({ length: 3 * 4 * 5 * 3 }, (_, index) => index),
  height: 4,
  width: 5,
  channels: 3,
  boxes: Float32Array.of(0, 1, 2, 3, 0.5, 0, 4, 5, 1, 1, 2, 2.25),
  classes: Int32Array.of(1, 0, 7),
  difficult: Uint8Array.of(0, 1, 0),
  offsets: Int32Array.of(0, 2, 2, 3),
  extents: Int32Array.of(4, 5, 3, 5, 4, 2)
}

describe("boxed images", () => {
  it.effect("come back as they were; equal splits have equal bytes", () =>
    Effect.gen(function* () {
      const bytes = encodeBoxedImages(split)
      assert.deepStrictEqual(yield* decodeBoxedImages(bytes), split)
      assert.deepStrictEqual(encodeBoxedImages({ ...split, images: split.images.slice() }), bytes)
    })
  )

  it.effect("may have no box at all, or no image", () =>
    Effect.gen(function* () {
      const none = {
        ...split,
        boxes: new Float32Array(0),
        classes: new Int32Array(0),
        difficult: new Uint8Array(0),
        offsets: new Int32Array(4)
      }
      assert.deepStrictEqual(yield* decodeBoxedImages(encodeBoxedImages(none)), none)
      const empty = {
        ...none,
        images: new Uint8Array(0),
        offsets: new Int32Array(1),
        extents: new Int32Array(0)
      }
      assert.deepStrictEqual(yield* decodeBoxedImages(encodeBoxedImages(empty)), empty)
    })
  )

  it("know which boxes are whose", () => {
    assert.deepStrictEqual(boxesOfImage(split, 0), {
      boxes: Float32Array.of(0, 1, 2, 3, 0.5, 0, 4, 5),
      classes: Int32Array.of(1, 0),
      difficult: Uint8Array.of(0, 1)
    })
    assert.strictEqual(boxesOfImage(split, 1).classes.length, 0)
    assert.deepStrictEqual([...boxesOfImage(split, 2).boxes], [1, 1, 2, 2.25])
  })

  it.effect.each<readonly [string, Partial<BoxedImages>, RegExp]>([
    ["offsets that start late", { offsets: Int32Array.of(1, 2, 2, 3) }, /`offsets` do not lead/],
    ["offsets that end early", { offsets: Int32Array.of(0, 2, 2, 2) }, /`offsets` do not lead/],
    ["offsets that go back", { offsets: Int32Array.of(0, 3, 2, 3) }, /`offsets` do not lead/],
    ["extents beyond the rows", { extents: Int32Array.of(4, 5, 5, 5, 4, 2) }, /4x5 pixels/],
    ["extents beyond the columns", { extents: Int32Array.of(4, 5, 3, 6, 4, 2) }, /4x5 pixels/],
    ["extents below 0", { extents: Int32Array.of(4, 5, -1, 5, 4, 2) }, /4x5 pixels/]
  ])("with %s are refused", ([, part, expected]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decodeBoxedImages(encodeBoxedImages({ ...split, ...part })))
      assert.strictEqual(error._tag, "SafetensorsError")
      assert.match(error.message, expected)
    })
  )

  it.effect("of another task are refused", () =>
    Effect.gen(function* () {
      const masked = encodeMaskedImages({ ...split, masks: new Uint8Array(3 * 4 * 5) })
      assert.match((yield* Effect.flip(decodeBoxedImages(masked))).message, /does not hold `offsets`/)
    })
  )
})
