import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import { BatchStatistics, evaluation, training } from "../../../lib/nn/Mode.ts"
import { basicBlock, residualBlocks, residualBlockWeights } from "../../../lib/nn/residual-block.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { makeVariables } from "../../../lib/train/variables.ts"
import { assertClose } from "../../support/golden.ts"
import { runtimes } from "../../support/runtimes.ts"

const shape = { inputs: 4, outputs: 4, stride: 1, shortcut: "B" } as const
const blocks = ["layer1.0", "layer1.1"].map((name) => basicBlock({ name, ...shape }))
const specs = blocks.flatMap(residualBlockWeights)
const random = RandomStream.make(8)
/** Above 0, so that what skips every branch comes through the ReLUs as it is. */
const images = Float32Array.from({ length: 3 * 5 * 5 * 4 }, () => random.uniform())
const perImage = 5 * 5 * 4

/** Of the first `count` blocks; `kept` `[3, 2]`, or what is done where nothing is said. */
const outputs = (kept: ReadonlyArray<number> | undefined, { count = 2, mode = "training" } = {}) =>
  Effect.scoped(
    Effect.gen(function* () {
      const weights = yield* makeVariables(initializeWeights(specs, "torch-default", RandomStream.make(1)))
      const runtime = yield* TensorRuntime
      const run = yield* runtime.jit<"images" | "kept", "y">(
        (inputs) => {
          const statistics = new BatchStatistics()
          const keptBlocks = kept && (inputs.kept as tf.Tensor2D)
          const learning = { ...training(specs, statistics), keptBlocks }
          const given = blocks.slice(0, count)
          const x = inputs.images as tf.Tensor4D
          const y = residualBlocks(weights, given, 0, x, mode === "training" ? learning : evaluation)
          statistics.take()
          return { y }
        },
        {
          inputs: {
            images: { shape: [3, 5, 5, 4], dtype: "float32" },
            kept: { shape: [3, 2], dtype: "float32" }
          },
          precision: "float32"
        }
      )
      const { y } = yield* run.run({ images, kept: Float32Array.from(kept ?? new Array(6).fill(1)) })
      return y as Float32Array
    })
  )

for (const { layer, name, skipped } of runtimes) {
  describe.skipIf(skipped !== "")(`residual blocks under stochastic depth, ${name}${skipped}`, () => {
    it.effect("are those without it where all of an example's are kept", () =>
      Effect.gen(function* () {
        assertClose(yield* outputs([1, 1, 1, 1, 1, 1]), yield* outputs(undefined), 1e-5)
      }).pipe(Effect.provide(layer))
    )

    it.effect("let an example that skips all through as it came, whatever the others do", () =>
      Effect.gen(function* () {
        const y = yield* outputs([1, 2, 0, 0, 2, 0])
        assert.deepStrictEqual(y.subarray(perImage, 2 * perImage), images.subarray(perImage, 2 * perImage))
        // The last example has the first block twice as strong, and not the second.
        const first = yield* outputs([1, 0, 0, 0, 2, 0], { count: 1 })
        assertClose(y.subarray(2 * perImage), first.subarray(2 * perImage), 1e-6)
      }).pipe(Effect.provide(layer))
    )

    it.effect("add a branch times its factor", () =>
      Effect.gen(function* () {
        const [once, twice] = [yield* outputs([1, 0, 1, 0, 1, 0]), yield* outputs([2, 0, 2, 0, 2, 0])]
        // Where no ReLU cuts: x + branch and x + 2 branch.
        const free = [...once.keys()].filter((at) => once[at]! > 0 && twice[at]! > 0)
        assert.isAbove(free.length, 50)
        for (const at of free) {
          assert.approximately(twice[at]! - once[at]!, once[at]! - images[at]!, 1e-5)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("take no notice in evaluation", () =>
      Effect.gen(function* () {
        const told = yield* outputs([0, 0, 0, 0, 0, 0], { mode: "evaluation" })
        assert.deepStrictEqual(told, yield* outputs(undefined, { mode: "evaluation" }))
      }).pipe(Effect.provide(layer))
    )
  })
}
