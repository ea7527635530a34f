import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeLabelledImages } from "../../../lib/data/labelled-images.ts"
import {
  decodeMaskedImages,
  encodeMaskedImages,
  ignored,
  type MaskedImages
} from "../../../lib/data/masked-images.ts"
import { encodeSafetensors } from "../../../lib/models/safetensors.ts"

const split: MaskedImages = {
  images: Uint8Array.from({ length: 2 * 3 * 4 * 3 }, (_, index) => 3 * index),
  masks: Uint8Array.from({ length: 2 * 3 * 4 }, (_, index) => (index % 5 === 4 ? ignored : index % 5)),
  extents: Int32Array.of(3, 4, 2, 3),
  height: 3,
  width: 4,
  channels: 3
}

describe("masked images", () => {
  it.effect("come back as they were; equal splits have equal bytes", () =>
    Effect.gen(function* () {
      const bytes = encodeMaskedImages(split)
      assert.deepStrictEqual(yield* decodeMaskedImages(bytes), split)
      assert.deepStrictEqual(encodeMaskedImages({ ...split, masks: split.masks.slice() }), bytes)
      assert.notDeepEqual(encodeMaskedImages({ ...split, extents: Int32Array.of(3, 4, 3, 4) }), bytes)
    })
  )

  it.effect.each([
    ["other sizes", [2, 4, 3]],
    ["fewer of them", [1, 3, 4]],
    ["another rank", [2, 12]]
  ] as const)("whose masks have %s are refused", ([, shape]) =>
    Effect.gen(function* () {
      const size = shape.reduce((product: number, extent) => product * extent, 1)
      const bytes = encodeSafetensors({
        arrays: {
          images: { shape: [2, 3, 4, 3], values: split.images },
          masks: { shape, values: split.masks.slice(0, size) },
          extents: { shape: [2, 2], values: split.extents }
        },
        metadata: {}
      })
      assert.match((yield* Effect.flip(decodeMaskedImages(bytes))).message, /`masks` \[N, H, W\]/)
    })
  )

  it.effect.each([
    ["extents of fewer images", [1, 2], Int32Array.of(3, 4), /`extents` \[N, 2\]/],
    ["extents of another shape", [4], Int32Array.of(3, 4, 2, 3), /`extents` \[N, 2\]/],
    ["extents in floats", [2, 2], Float32Array.of(3, 4, 2, 3), /`extents` \[N, 2\]/],
    ["extents beyond the rows", [2, 2], Int32Array.of(3, 4, 4, 3), /3x4 pixels/],
    ["extents beyond the columns", [2, 2], Int32Array.of(3, 5, 2, 3), /3x4 pixels/],
    ["extents below 0", [2, 2], Int32Array.of(3, 4, -1, 3), /3x4 pixels/]
  ] as const)("with %s are refused", ([, shape, values, reason]) =>
    Effect.gen(function* () {
      const bytes = encodeSafetensors({
        arrays: {
          images: { shape: [2, 3, 4, 3], values: split.images },
          masks: { shape: [2, 3, 4], values: split.masks },
          extents: { shape, values }
        },
        metadata: {}
      })
      assert.match((yield* Effect.flip(decodeMaskedImages(bytes))).message, reason)
    })
  )

  it.effect("without extents are refused", () =>
    Effect.gen(function* () {
      const arrays = {
        images: { shape: [2, 3, 4, 3], values: split.images },
        masks: { shape: [2, 3, 4], values: split.masks }
      }
      const bytes = encodeSafetensors({ arrays, metadata: {} })
      assert.match((yield* Effect.flip(decodeMaskedImages(bytes))).message, /`extents` \[N, 2\]/)
    })
  )

  it.effect("of another task are refused", () =>
    Effect.gen(function* () {
      const labelled = encodeLabelledImages({ ...split, labels: Int32Array.of(0, 1) })
      assert.strictEqual((yield* Effect.flip(decodeMaskedImages(labelled)))._tag, "SafetensorsError")
    })
  )
})
