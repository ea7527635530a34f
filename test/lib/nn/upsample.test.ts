import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { repeatTwice, resizeBilinear } from "../../../lib/nn/upsample.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { runtimes } from "../../support/runtimes.ts"

const applied = Effect.fn("applied")(function* (
  shape: ReadonlyArray<number>,
  values: ReadonlyArray<number>,
  apply: (x: tf.Tensor4D) => tf.Tensor
) {
  const runtime = yield* TensorRuntime
  const compiled = yield* runtime.jit(({ x }) => ({ y: apply(x as tf.Tensor4D) }), {
    inputs: { x: { shape, dtype: "float32" } },
    precision: "float32"
  })
  return [...(yield* compiled.run({ x: Float32Array.from(values) })).y]
})

for (const { name, skipped, layer } of runtimes) {
  const either = it.effect.skipIf(skipped !== "")

  describe(`upsampling on the ${name} runtime${skipped}`, () => {
    either("repeatTwice repeats every cell in both directions, all channels together", () =>
      Effect.gen(function* () {
        const y = yield* applied([1, 2, 2, 2], [1, -1, 2, -2, 3, -3, 4, -4], (x) => repeatTwice(x, 4, 4))
        const top = [1, -1, 1, -1, 2, -2, 2, -2]
        const bottom = [3, -3, 3, -3, 4, -4, 4, -4]
        assert.deepStrictEqual(y, [...top, ...top, ...bottom, ...bottom])
      }).pipe(Effect.provide(layer))
    )

    either(
      "repeatTwice leaves the last row and column once where the size is odd, and keeps images apart",
      () =>
        Effect.gen(function* () {
          const y = yield* applied([2, 2, 2, 1], [1, 2, 3, 4, 5, 6, 7, 8], (x) => repeatTwice(x, 3, 3))
          assert.deepStrictEqual(y, [1, 1, 2, 1, 1, 2, 3, 3, 4, 5, 5, 6, 5, 5, 6, 7, 7, 8])
        }).pipe(Effect.provide(layer))
    )

    // By hand: the centres of 4 cells lie at (i + 0.5) / 2 - 0.5 = -0.25, 0.25, 0.75, 1.25 among 2.
    either("resizeBilinear interpolates between the centres of cells and repeats the border", () =>
      Effect.gen(function* () {
        const row = yield* applied([1, 1, 2, 1], [0, 8], (x) => resizeBilinear(x, 1, 4))
        assert.deepStrictEqual(row, [0, 2, 6, 8])
        const column = yield* applied([1, 2, 1, 1], [0, 8], (x) => resizeBilinear(x, 4, 1))
        assert.deepStrictEqual(column, [0, 2, 6, 8])
        const fewer = yield* applied([1, 1, 4, 1], [0, 2, 6, 8], (x) => resizeBilinear(x, 1, 2))
        assert.deepStrictEqual(fewer, [1, 7])
      }).pipe(Effect.provide(layer))
    )
  })
}
