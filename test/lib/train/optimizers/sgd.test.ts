import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../../infra/tensorflow/portable/wasm.ts"
import { zeroWeights } from "../../../../lib/nn/Weights.ts"
import { TensorRuntime } from "../../../../lib/tensor/Runtime.ts"
import { tf } from "../../../../lib/tensor/tf.ts"
import { nagUpdate } from "../../../../lib/train/optimizers/sgd.ts"
import { type OptimizerOptions, updateWeights } from "../../../../lib/train/optimizers/update-weights.ts"
import { makeVariables, readVariables } from "../../../../lib/train/variables.ts"
import { assertClose, readGolden } from "../../../support/golden.ts"
import { runtimes } from "../../../support/runtimes.ts"

interface OfEach {
  readonly kernel: ReadonlyArray<number>
  readonly bias: ReadonlyArray<number>
}
type Rows = { readonly kernel: ReadonlyArray<ReadonlyArray<number>>; readonly bias: ReadonlyArray<number> }

const golden = readGolden<
  Rows & {
    readonly gradients: ReadonlyArray<Rows>
    readonly rates: ReadonlyArray<number>
    /** After each step, by PyTorch 2.15. */
    readonly nag: ReadonlyArray<OfEach>
    readonly nagDecayOnAll: ReadonlyArray<OfEach>
    readonly sgd: ReadonlyArray<OfEach>
  }
>("optimizers")

const specs = [
  { name: "kernel", shape: [4, 3], role: "kernel" },
  { name: "bias", shape: [4], role: "bias" }
] as const

/** Weights after each of the golden's steps. */
const trajectory = Effect.fnUntraced(function* (options: OptimizerOptions) {
  const runtime = yield* TensorRuntime
  const weights = yield* makeVariables({
    kernel: { shape: [4, 3], values: Float32Array.from(golden.kernel.flat()) },
    bias: { shape: [4], values: Float32Array.from(golden.bias) }
  })
  const velocities = yield* makeVariables(zeroWeights(specs))
  const step = yield* runtime.jit(
    ({ rate, ...gradients }) => {
      updateWeights(options, { specs, weights, velocities }, gradients, rate as tf.Scalar)
      return {}
    },
    {
      inputs: {
        kernel: { shape: [4, 3], dtype: "float32" },
        bias: { shape: [4], dtype: "float32" },
        rate: { shape: [], dtype: "float32" }
      },
      precision: "float32"
    }
  )
  return yield* Effect.forEach(golden.gradients, ({ bias, kernel }, index) =>
    Effect.gen(function* () {
      yield* step.run({
        kernel: Float32Array.from(kernel.flat()),
        bias: Float32Array.from(bias),
        rate: Float32Array.of(golden.rates[index]!)
      })
      return yield* readVariables(weights)
    })
  )
}, Effect.scoped)

const cases: ReadonlyArray<
  readonly [string, Omit<OptimizerOptions, "momentum" | "weightDecay">, "nag" | "nagDecayOnAll" | "sgd"]
> = [
  ["NAG is PyTorch's SGD(nesterov=True), with no decay of biases", {}, "nag"],
  ["decay on all is PyTorch's own", { optimizer: "nag", weightDecayOn: "all" }, "nagDecayOnAll"],
  ["sgd is PyTorch's SGD", { optimizer: "sgd" }, "sgd"]
]

for (const { layer, name, skipped } of runtimes) {
  describe.skipIf(skipped !== "")(`twenty updates on the ${name} runtime${skipped}`, () => {
    it.effect.each(cases)("%s", ([, options, key]) =>
      Effect.gen(function* () {
        const after = yield* trajectory({ momentum: 0.9, weightDecay: 0.01, ...options })
        assert.lengthOf(after, 20)
        for (const [index, { bias, kernel }] of after.entries()) {
          assertClose(kernel!.values, golden[key][index]!.kernel, 1e-6)
          assertClose(bias!.values, golden[key][index]!.bias, 1e-6)
        }
      }).pipe(Effect.provide(layer))
    )
  })
}

/** Two updates with gradients 1 and then 0.5, learning rate 0.1, momentum 0.9, decay 0.01, from 2. */
const afterTwo = (shape: ReadonlyArray<number>) => {
  const weight = tf.variable(tf.fill([...shape], 2))
  const velocity = tf.variable(tf.zeros([...shape]))
  const learningRate = tf.scalar(0.1)
  for (const value of [1, 0.5]) {
    const gradient = tf.fill([...shape], value)
    tf.tidy(() =>
      nagUpdate({ momentum: 0.9, weightDecay: 0.01 }, { weight, velocity, gradient, learningRate })
    )
  }
  return { weight: weight.dataSync()[0]!, velocity: velocity.dataSync()[0]! }
}

describe("nagUpdate", () => {
  beforeAll(() => Effect.runPromise(startWasm))

  it("is Nesterov's momentum with decay on kernels, by hand", () => {
    // g' = 1 + 0.02 = 1.02, v = 1.02, w = 2 - 0.1 (1.02 + 0.918) = 1.8062
    // g' = 0.5 + 0.018062, v = 0.918 + 0.518062, w = 1.8062 - 0.1 (0.518062 + 0.9 · 1.436062)
    const { velocity, weight } = afterTwo([1, 1])
    assert.approximately(velocity, 1.436062, 1e-6)
    assert.approximately(weight, 1.62514822, 1e-6)
  })

  it("does not decay biases and normalisations", () => {
    // v = 1, w = 2 - 0.19 = 1.81; v = 0.9 + 0.5 = 1.4, w = 1.81 - 0.1 (0.5 + 1.26)
    const { velocity, weight } = afterTwo([1])
    assert.approximately(velocity, 1.4, 1e-6)
    assert.approximately(weight, 1.634, 1e-6)
  })
})
