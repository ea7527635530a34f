import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { batchNormWeights } from "../../../lib/nn/batch-norm.ts"
import { convWeights } from "../../../lib/nn/conv.ts"
import { batchNormNames, FrozenPrefixUnknown, withFrozen, withOnlyTrained } from "../../../lib/nn/frozen.ts"
import { countParameters, isTrainable, type WeightSpec } from "../../../lib/nn/Weights.ts"
import { beginning } from "../../../lib/train/ResumePoint.ts"

const conv = (name: string) => convWeights({ name, size: 1, inputs: 2, outputs: 3, stride: 1 })
const specs: ReadonlyArray<WeightSpec> = [
  ...conv("layer1.0.conv1"),
  ...batchNormWeights({ name: "layer1.0.bn1", channels: 3 }),
  ...conv("layer10"),
  ...conv("fc")
]

describe("withFrozen", () => {
  it.effect("freezes whole parts of names, running statistics too", () =>
    Effect.gen(function* () {
      const frozen = (yield* withFrozen(specs, ["layer1", "fc.weight"])).filter((spec) => spec.frozen)
      assert.deepStrictEqual(
        frozen.map(({ name }) => name),
        [...specs.slice(0, 5).map(({ name }) => name), "fc.weight"]
      )
    })
  )

  it.effect("frozen weights have no velocity and still count as parameters", () =>
    Effect.gen(function* () {
      const frozen = yield* withFrozen(specs, ["layer1"])
      assert.strictEqual(countParameters(frozen), 6 + 3 + 3 + 6 + 6)
      assert.deepStrictEqual(Object.keys(beginning({}, frozen).velocities), ["layer10.weight", "fc.weight"])
      assert.lengthOf(specs.filter(isTrainable), 5)
    })
  )

  it.effect("names the prefix that freezes nothing, and what there is", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(withFrozen(specs, ["fc", "layer"]))
      assert.deepStrictEqual(
        error,
        new FrozenPrefixUnknown({ prefix: "layer", purpose: "freeze", known: ["layer1", "layer10", "fc"] })
      )
      assert.match(error.message, /"layer".*layer1, layer10, fc/)
    })
  )

  it.effect("what is to be trained is named in the same way: all else is frozen", () =>
    Effect.gen(function* () {
      const trained = (yield* withOnlyTrained(specs, ["layer10", "fc"])).filter((spec) => !spec.frozen)
      assert.deepStrictEqual(
        trained.map(({ name }) => name),
        ["layer10.weight", "fc.weight"]
      )
      const error = yield* Effect.flip(withOnlyTrained(specs, ["layer2"]))
      assert.match(error.message, /^Nothing to train is named "layer2"/)
    })
  )

  it("batch norms are found by their running statistics", () =>
    assert.deepStrictEqual(batchNormNames(specs), ["layer1.0.bn1"]))
})
