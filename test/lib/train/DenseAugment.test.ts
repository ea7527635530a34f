import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { DenseAugment } from "../../../lib/train/DenseAugment.ts"

const nothing = {
  flip: false,
  flipVertical: false,
  scale: [1, 1],
  brightness: 0,
  contrast: 0,
  saturation: 0
}

describe("DenseAugment", () => {
  it("changes nothing unless told to, made in code or read", () => {
    assert.deepStrictEqual<unknown>(DenseAugment.make({}), nothing)
    assert.deepStrictEqual<unknown>(Schema.decodeUnknownSync(DenseAugment)({ flip: true }), {
      ...nothing,
      flip: true
    })
  })

  it.effect.each([
    [{ scale: [2, 0.5] }, /scale must go from the least to the greatest, got \[2, 0\.5\]/],
    [{ scale: [0, 1] }, /scale/],
    [{ brightness: 1.5 }, /brightness/],
    [{ saturation: -0.1 }, /saturation/]
  ] as const)("refuses %j", ([params, expected]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Schema.decodeUnknownEffect(DenseAugment)(params))
      assert.match(error.message, expected)
    })
  )
})
