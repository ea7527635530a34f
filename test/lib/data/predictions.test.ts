import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  decodeBoxPredictions,
  decodeClassPredictions,
  decodeMaskPredictions,
  encodeBoxPredictions,
  encodeClassPredictions,
  encodeMaskPredictions
} from "../../../lib/data/predictions.ts"

const classes = {
  classes: Int32Array.of(2, 0),
  probabilities: Float32Array.of(0.75, 0.5),
  quality: Float32Array.of(0.125, 0.5)
}
/** Three images: two boxes, none, one. */
const boxes = {
  boxes: Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10.5, 11),
  classes: Int32Array.of(1, 0, 1),
  scores: Float32Array.of(0.5, 0.25, 1),
  offsets: Int32Array.of(0, 2, 2, 3),
  quality: Float32Array.of(0, 1, 0.5)
}
const masks = {
  masks: Uint8Array.from({ length: 2 * 2 * 3 }, (_, index) => index),
  height: 2,
  width: 3,
  quality: Float32Array.of(1, 0.25)
}

describe("predictions", () => {
  it.effect("come back as they were", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* decodeClassPredictions(encodeClassPredictions(classes)), classes)
      assert.deepStrictEqual(yield* decodeBoxPredictions(encodeBoxPredictions(boxes)), boxes)
      assert.deepStrictEqual(yield* decodeMaskPredictions(encodeMaskPredictions(masks)), masks)
    })
  )

  it.effect("of no box at all are predictions, too", () =>
    Effect.gen(function* () {
      const none = {
        boxes: new Float32Array(0),
        classes: new Int32Array(0),
        scores: new Float32Array(0),
        offsets: Int32Array.of(0, 0),
        quality: Float32Array.of(1)
      }
      assert.deepStrictEqual(yield* decodeBoxPredictions(encodeBoxPredictions(none)), none)
    })
  )

  it.effect("of another task are refused", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decodeBoxPredictions(encodeClassPredictions(classes)))
      assert.match(error.message, /does not hold `boxes`.*no predictions of this task/)
      assert.strictEqual(
        (yield* Effect.flip(decodeClassPredictions(encodeMaskPredictions(masks))))._tag,
        "SafetensorsError"
      )
    })
  )

  it.effect.each([
    ["start late", Int32Array.of(1, 2, 2, 3)],
    ["end early", Int32Array.of(0, 2, 2, 2)],
    ["go back", Int32Array.of(0, 3, 2, 3)],
    ["are too few", Int32Array.of(0, 2, 3)]
  ] as const)("whose offsets %s are refused", ([, offsets]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decodeBoxPredictions(encodeBoxPredictions({ ...boxes, offsets })))
      assert.match(error.message, /`offsets` \[N \+ 1\]/)
    })
  )

  it.effect("whose lengths differ are refused", () =>
    Effect.gen(function* () {
      const quality = Float32Array.of(1)
      for (const decoded of [
        Effect.asVoid(decodeClassPredictions(encodeClassPredictions({ ...classes, quality }))),
        Effect.asVoid(decodeBoxPredictions(encodeBoxPredictions({ ...boxes, scores: Float32Array.of(1) })))
      ]) {
        assert.match((yield* Effect.flip(decoded)).message, /have different lengths/)
      }
    })
  )
})
