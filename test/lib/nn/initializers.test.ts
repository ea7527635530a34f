import { assert, describe, it } from "@effect/vitest"
import { type Initializer, initializeWeights } from "../../../lib/nn/initializers.ts"
import { linearWeights } from "../../../lib/nn/linear.ts"
import type { WeightSpec } from "../../../lib/nn/Weights.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"

const kernel: WeightSpec = { name: "conv.weight", shape: [3, 3, 16, 32], role: "kernel" }
const initialized = (specs: ReadonlyArray<WeightSpec>, initializer: Initializer) =>
  initializeWeights(specs, initializer, RandomStream.make(3, "test"))
const valuesOf = (initializer: Initializer) => initialized([kernel], initializer)["conv.weight"]!.values

const deviation = (values: Float32Array) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
const largest = (values: Float32Array) => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0)

describe("initializeWeights", () => {
  // 4,608 values: the deviation's own error is about 1 %.
  it("torch-default is uniform within 1 / sqrt(fan in)", () => {
    const bound = 1 / Math.sqrt(144)
    assert.isAtMost(largest(valuesOf("torch-default")), bound)
    assert.approximately(deviation(valuesOf("torch-default")), bound / Math.sqrt(3), 0.03 * bound)
  })

  it("He's normal has variance 2 / fan", () => {
    assert.approximately(deviation(valuesOf("he-normal-fan-in")), Math.sqrt(2 / 144), 0.005)
    assert.approximately(deviation(valuesOf("he-normal-fan-out")), Math.sqrt(2 / 288), 0.004)
  })

  it("Xavier's uniform is within sqrt(6 / (fan in + fan out))", () => {
    const bound = Math.sqrt(6 / (144 + 288))
    assert.isAtMost(largest(valuesOf("xavier-uniform")), bound)
    assert.approximately(deviation(valuesOf("xavier-uniform")), bound / Math.sqrt(3), 0.03 * bound)
  })

  it("MXNet's MSRAPrelu has variance 2 / (1 + 0.25²) over the mean fan", () => {
    assert.approximately(deviation(valuesOf("msra-prelu")), Math.sqrt(1.88235 / 216), 0.004)
  })

  it("scales that close a residual branch start at 0 where that is asked for, the others at 1", () => {
    const closing: WeightSpec = { name: "bn2.weight", shape: [4], role: "scale", closesBranch: true }
    const inner: WeightSpec = { name: "bn1.weight", shape: [4], role: "scale" }
    const started = (zeroGamma: boolean) =>
      initializeWeights([inner, closing], "xavier-uniform", RandomStream.make(3), { zeroGamma })
    assert.deepStrictEqual([...started(true)["bn2.weight"]!.values], [0, 0, 0, 0])
    assert.deepStrictEqual([...started(true)["bn1.weight"]!.values], [1, 1, 1, 1])
    assert.deepStrictEqual([...started(false)["bn2.weight"]!.values], [1, 1, 1, 1])
  })

  it("biases start at 0, except PyTorch's, which spread as their layer's kernel", () => {
    const fc = linearWeights({ name: "fc", inputs: 64, outputs: 10 })
    assert.isTrue(initialized(fc, "xavier-uniform")["fc.bias"]!.values.every((value) => value === 0))
    const bias = initialized(fc, "torch-default")["fc.bias"]!.values
    assert.isAtMost(largest(bias), 1 / 8)
    assert.isTrue(bias.every((value) => value !== 0))
  })

  it("a weight that says how it starts is not asked for its role", () => {
    const constant: WeightSpec = { ...kernel, initial: { kind: "constant", value: -4.5 } }
    assert.isTrue(
      initialized([constant], "torch-default")["conv.weight"]!.values.every((value) => value === -4.5)
    )
    const normal: WeightSpec = { ...kernel, initial: { kind: "normal", deviation: 0.01 } }
    assert.approximately(
      deviation(initialized([normal], "torch-default")["conv.weight"]!.values),
      0.01,
      0.0005
    )
  })

  it("a weight does not depend on the others", () => {
    const other: WeightSpec = { name: "stem.weight", shape: [3, 3, 1, 16], role: "kernel" }
    assert.deepStrictEqual(
      initialized([other, kernel], "he-normal-fan-out")["conv.weight"],
      initialized([kernel], "he-normal-fan-out")["conv.weight"]
    )
  })
})
