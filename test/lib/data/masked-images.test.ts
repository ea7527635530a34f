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
          masks: { shape, values: split.masks.slice(0, size) }
        },
        metadata: {}
      })
      assert.match((yield* Effect.flip(decodeMaskedImages(bytes))).message, /`masks` \[N, H, W\]/)
    })
  )

  it.effect("of another task are refused", () =>
    Effect.gen(function* () {
      const labelled = encodeLabelledImages({ ...split, labels: Int32Array.of(0, 1) })
      assert.strictEqual((yield* Effect.flip(decodeMaskedImages(labelled)))._tag, "SafetensorsError")
    })
  )
})
