import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { maxPoolHalving } from "../../../lib/nn/max-pool.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { runtimes } from "../../support/runtimes.ts"

/** PyTorch's definition: windows of 3x3 begin one cell outside the top left and take two steps at a time. */
const reference = (x: Float32Array, height: number, width: number) => {
  const rows = Math.floor((height + 2 - 3) / 2) + 1
  const columns = Math.floor((width + 2 - 3) / 2) + 1
  return Float32Array.from({ length: rows * columns }, (_, cell) => {
    const top = Math.floor(cell / columns) * 2 - 1
    const left = (cell % columns) * 2 - 1
    const inside = Array.from(
      { length: 9 },
      (_, tap) => [top + Math.floor(tap / 3), left + (tap % 3)] as const
    )
      .filter(([row, column]) => row >= 0 && column >= 0 && row < height && column < width)
      .map(([row, column]) => x[row * width + column]!)
    return Math.max(...inside)
  })
}

for (const { name, skipped, layer } of runtimes) {
  describe(`maxPoolHalving on the ${name} runtime${skipped}`, () => {
    for (const [height, width] of [
      [6, 8],
      [5, 7],
      [4, 5],
      [7, 2],
      [1, 1]
    ] as const) {
      it.effect.skipIf(skipped !== "")(`pads ${height}x${width} as PyTorch does, negative features too`, () =>
        Effect.gen(function* () {
          const random = RandomStream.make(2, "max pool", height, width)
          const x = Float32Array.from({ length: height * width }, () => random.between(-2, -1))
          const runtime = yield* TensorRuntime
          const pooled = yield* runtime.jit(({ x }) => ({ y: maxPoolHalving(x as tf.Tensor4D) }), {
            inputs: { x: { shape: [1, height, width, 1], dtype: "float32" } },
            precision: "float32"
          })
          assert.deepStrictEqual((yield* pooled.run({ x })).y, reference(x, height, width))
        }).pipe(Effect.provide(layer))
      )
    }
  })
}
