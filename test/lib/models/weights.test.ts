import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { decodeWeights, encodeWeights, WeightsMismatch } from "../../../lib/models/weights.ts"
import type { WeightSpec, Weights } from "../../../lib/nn/Weights.ts"

const specs: ReadonlyArray<WeightSpec> = [
  { name: "fc.weight", shape: [2, 3], role: "kernel" },
  { name: "fc.bias", shape: [3], role: "bias" }
]
const weights: Weights = {
  "fc.weight": { shape: [2, 3], values: Float32Array.of(1, -0, Number.NaN, 4, 5, 6) },
  "fc.bias": { shape: [3], values: Float32Array.of(7, 8, 9) }
}

describe("weights", () => {
  it.effect("come back bit by bit", () =>
    Effect.gen(function* () {
      const decoded = yield* decodeWeights(encodeWeights(weights), specs)
      assert.deepStrictEqual(decoded["fc.weight"]?.shape, [2, 3])
      assert.isTrue(Object.is(decoded["fc.weight"]?.values[1], -0))
      assert.deepStrictEqual(decoded["fc.bias"], { shape: [3], values: Float32Array.of(7, 8, 9) })
    })
  )

  it("have the same bytes whatever the order of their names", () =>
    assert.deepStrictEqual(
      encodeWeights(
        { "fc.bias": weights["fc.bias"]!, "fc.weight": weights["fc.weight"]! },
        { b: "2", a: "1" }
      ),
      encodeWeights(weights, { a: "1", b: "2" })
    ))

  it.effect("under a name that JavaScript takes for something else are not overlooked", () =>
    Effect.gen(function* () {
      const named = { ...weights, ["__proto__"]: { shape: [1], values: Float32Array.of(1) } }
      const error = yield* Effect.flip(decodeWeights(encodeWeights(named), specs))
      assert.deepStrictEqual(error instanceof WeightsMismatch && error.unexpected, ["__proto__"])
    })
  )

  it.effect("of another model are refused with the differences", () =>
    Effect.gen(function* () {
      const wider: ReadonlyArray<WeightSpec> = [
        { name: "fc.weight", shape: [2, 4], role: "kernel" },
        { name: "bn.weight", shape: [4], role: "scale" }
      ]
      const result = yield* Effect.result(decodeWeights(encodeWeights(weights), wider))
      assert.deepStrictEqual(
        result,
        Result.fail(
          new WeightsMismatch({
            missing: ["bn.weight"],
            unexpected: ["fc.bias"],
            misshapen: ["fc.weight [2,3], not [2,4]"]
          })
        )
      )
    })
  )
})
