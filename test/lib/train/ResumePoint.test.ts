import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { encodeWeights } from "../../../lib/models/weights.ts"
import type { WeightSpec } from "../../../lib/nn/Weights.ts"
import {
  beginning,
  decodeResumePoint,
  encodeResumePoint,
  type ResumePoint
} from "../../../lib/train/ResumePoint.ts"

const specs: ReadonlyArray<WeightSpec> = [
  { name: "bn.weight", shape: [2], role: "scale" },
  { name: "bn.running_mean", shape: [2], role: "running-mean" }
]
const weights = {
  "bn.weight": { shape: [2], values: Float32Array.of(1, 2) },
  "bn.running_mean": { shape: [2], values: Float32Array.of(3, 4) }
}
const point: ResumePoint = {
  ...beginning(weights, specs),
  epoch: 1,
  step: 17,
  sums: { loss: { total: 0.1 + 0.2, weight: 17 }, top1: { total: 5, weight: 17 } },
  history: [
    { epoch: 1, learningRate: 1 / 3, train: { loss: 2e-9, top1: 0.5 }, validation: { loss: 1, top1: 0 } }
  ]
}

describe("ResumePoint", () => {
  it("begins with velocities of 0 for what is trained", () =>
    assert.deepStrictEqual(beginning(weights, specs).velocities, {
      "bn.weight": { shape: [2], values: Float32Array.of(0, 0) }
    }))

  it.effect("comes back to the last bit", () =>
    Effect.map(decodeResumePoint(encodeResumePoint(point), specs), (decoded) =>
      assert.deepStrictEqual(decoded, point)
    )
  )

  it.effect("of another network is refused", () =>
    Effect.gen(function* () {
      const other = [...specs, { name: "fc.bias", shape: [2], role: "bias" } as const]
      const result = yield* Effect.result(decodeResumePoint(encodeResumePoint(point), other))
      assert.match(String(result), /missing: fc.bias/)
    })
  )

  it.effect("is not mistaken for weights", () =>
    Effect.map(Effect.result(decodeResumePoint(encodeWeights(weights), specs)), (result) => {
      assert.isTrue(Result.isFailure(result))
      if (Result.isFailure(result)) assert.match(result.failure.message, /no resume point/)
    })
  )
})
