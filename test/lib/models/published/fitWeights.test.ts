import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fitWeights } from "../../../../lib/models/published/fitWeights.ts"
import { loadReportText } from "../../../../lib/models/published/LoadReport.ts"
import { type NamedTensors, rowMajorStrides, type StoredTensor } from "../../../../lib/models/StoredTensor.ts"
import { sizeOf, type WeightSpec } from "../../../../lib/nn/Weights.ts"

const stored = (shape: ReadonlyArray<number>, first = 0): StoredTensor => {
  const values = Float32Array.from({ length: sizeOf(shape) }, (_, index) => first + index)
  return {
    dtype: "F32",
    shape,
    strides: rowMajorStrides(shape),
    offset: 0,
    storage: new Uint8Array(values.buffer)
  }
}

const tensors = (shapes: Readonly<Record<string, ReadonlyArray<number>>>): NamedTensors =>
  new Map(Object.entries(shapes).map(([name, shape]) => [name, stored(shape)]))

const norm = (name: string, channels: number): ReadonlyArray<WeightSpec> => [
  { name: `${name}.weight`, shape: [channels], role: "scale" },
  { name: `${name}.bias`, shape: [channels], role: "shift" },
  { name: `${name}.running_mean`, shape: [channels], role: "running-mean" },
  { name: `${name}.running_var`, shape: [channels], role: "running-variance" }
]

/** A network of one convolution, its normalisation and a classifier of three classes. */
const specs: ReadonlyArray<WeightSpec> = [
  { name: "layer1.0.conv1.weight", shape: [1, 2, 3, 4], role: "kernel" },
  ...norm("layer1.0.bn1", 4),
  { name: "fc.weight", shape: [4, 3], role: "kernel" },
  { name: "fc.bias", shape: [3], role: "bias" }
]

const pytorch = {
  "layer1.0.conv1.weight": [4, 3, 1, 2],
  "layer1.0.bn1.weight": [4],
  "layer1.0.bn1.bias": [4],
  "layer1.0.bn1.running_mean": [4],
  "layer1.0.bn1.running_var": [4],
  "layer1.0.bn1.num_batches_tracked": [],
  "fc.weight": [3, 4],
  "fc.bias": [3]
}

const names = specs.map(({ name }) => name)

describe("published weights", () => {
  it.effect("become kernels of our layout", () =>
    Effect.gen(function* () {
      const { report, weights } = yield* fitWeights(tensors(pytorch), specs)
      assert.deepStrictEqual(Object.keys(weights), names)
      assert.deepStrictEqual(weights["layer1.0.conv1.weight"]!.shape, [1, 2, 3, 4])
      // [out 1, in 2, row 0, column 1] of [4, 3, 1, 2] is value 1 * 6 + 2 * 2 + 1.
      const [row, column, input, output] = [0, 1, 2, 1]
      const place = ((row * 2 + column) * 3 + input) * 4 + output
      assert.strictEqual(weights["layer1.0.conv1.weight"]!.values[place], 11)
      assert.deepStrictEqual(
        weights["fc.weight"]!.values,
        Float32Array.of(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11)
      )
      assert.deepStrictEqual(report, {
        spelling: "PyTorch",
        loaded: names,
        renamed: [],
        reshaped: [],
        converted: [],
        absorbed: [],
        leftOut: [
          {
            name: "layer1.0.bn1.num_batches_tracked",
            reason: "a counter that only training by PyTorch looks at"
          }
        ],
        fresh: []
      })
    })
  )

  it.effect(
    "are found under GluonCV's names, and biases that a normalisation undoes are absorbed by it",
    () =>
      Effect.gen(function* () {
        const gluon = tensors({
          "features.4.0.body.0.weight": [4, 3, 1, 2],
          "features.4.0.body.0.bias": [4],
          "features.4.0.body.1.gamma": [4],
          "features.4.0.body.1.beta": [4],
          "features.4.0.body.1.running_mean": [4],
          "features.4.0.body.1.running_var": [4],
          "output.weight": [3, 4],
          "output.bias": [3]
        })
        const mean = { ...stored([4], 10) }
        const { report, weights } = yield* fitWeights(
          new Map([...gluon, ["features.4.0.body.1.running_mean", mean]]),
          specs
        )
        assert.strictEqual(report.spelling, "GluonCV")
        assert.strictEqual(report.renamed.length, 7)
        assert.deepStrictEqual(report.absorbed, [
          { bias: "features.4.0.body.0.bias", into: "layer1.0.bn1.running_mean" }
        ])
        assert.deepStrictEqual(weights["layer1.0.bn1.running_mean"]!.values, Float32Array.of(10, 10, 10, 10))
        assert.strictEqual(
          loadReportText(report),
          "takes 7 weights (7 renamed); 1 biases absorbed by normalisations"
        )
      })
  )

  it.effect("may keep a linear layer as a convolution of 1 x 1", () =>
    Effect.gen(function* () {
      const { report, weights } = yield* fitWeights(tensors({ ...pytorch, "fc.weight": [3, 4, 1, 1] }), specs)
      assert.deepStrictEqual(weights["fc.weight"]!.values.slice(0, 3), Float32Array.of(0, 4, 8))
      assert.deepStrictEqual(report.reshaped, [{ name: "fc.weight", from: [3, 4, 1, 1], to: [4, 3] }])
    })
  )

  it.effect("of other classes come without their classifier, if that is asked for", () =>
    Effect.gen(function* () {
      const { "fc.weight": _, "fc.bias": __, ...rest } = pytorch
      const other = tensors({ ...rest, "classifier.weight": [1000, 4], "classifier.bias": [1000] })
      const error = yield* Effect.flip(fitWeights(other, specs))
      assert.deepStrictEqual(error.misshapen, ["fc.weight [1000,4], not [3,4]", "fc.bias [1000], not [3]"])
      const { report, weights } = yield* fitWeights(other, specs, { head: "leave-out" })
      assert.deepStrictEqual(report.fresh, ["fc.weight", "fc.bias"])
      assert.deepStrictEqual(
        report.leftOut.map(({ name }) => name),
        ["layer1.0.bn1.num_batches_tracked", "classifier.weight", "classifier.bias"]
      )
      assert.notProperty(weights, "fc.weight")
    })
  )
})

const mismatches = [
  [
    "a kernel of another size",
    { "layer1.0.conv1.weight": [4, 3, 2, 2] },
    "misshapen",
    "[4,3,2,2], not [4,3,1,2]"
  ],
  [
    "a bias of another length",
    { "layer1.0.conv1.bias": [5] },
    "misshapen",
    "layer1.0.conv1.bias [5], not [4]"
  ],
  [
    "a tensor that no rule covers",
    { "layer2.0.conv1.weight": [4, 3, 1, 2] },
    "unexpected",
    "layer2.0.conv1.weight"
  ],
  ["a second classifier", { "classifier.weight": [3, 4] }, "unexpected", "classifier.weight"],
  ["a tensor called __proto__", { ["__proto__"]: [1] }, "unexpected", "__proto__"]
] as const

describe("weights that do not fit", () => {
  for (const [what, changed, difference, message] of mismatches) {
    it.effect(`are refused: ${what}`, () =>
      Effect.gen(function* () {
        const found = tensors({ ...pytorch, ...changed })
        const error = yield* Effect.flip(fitWeights(found, specs))
        assert.strictEqual(error._tag, "WeightsMismatch")
        assert.include(error[difference].join(), message)
      })
    )
  }

  it.effect("are refused where one is missing", () =>
    Effect.gen(function* () {
      const { "layer1.0.bn1.running_var": _, ...rest } = pytorch
      const error = yield* Effect.flip(fitWeights(tensors(rest), specs))
      assert.deepStrictEqual(error.missing, ["layer1.0.bn1.running_var"])
    })
  )
})
