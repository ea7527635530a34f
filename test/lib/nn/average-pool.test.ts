import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { averagePoolDilated, averagePoolHalving } from "../../../lib/nn/average-pool.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import type { tf } from "../../../lib/tensor/tf.ts"
import { runtimes } from "../../support/runtimes.ts"

interface Windows {
  readonly stride: number
  readonly dilation: number
}

/** The definition: averages over the cells of a 2x2 window that lie within the map. */
const reference = (x: Float32Array, height: number, width: number, { dilation, stride }: Windows) => {
  const rows = Math.ceil(height / stride)
  const columns = Math.ceil(width / stride)
  return Array.from({ length: rows * columns }, (_, cell) => {
    const top = Math.floor(cell / columns) * stride
    const left = (cell % columns) * stride
    const inside = [top, top + dilation]
      .flatMap((row) => [left, left + dilation].map((column) => [row, column] as const))
      .filter(([row, column]) => row < height && column < width)
      .map(([row, column]) => x[row * width + column]!)
    return inside.reduce((sum, value) => sum + value) / inside.length
  })
}

for (const { name, skipped, layer } of runtimes) {
  describe(`averages of 2x2 cells on the ${name} runtime${skipped}`, () => {
    for (const [height, width] of [
      [4, 6],
      [5, 7],
      [4, 5],
      [1, 3]
    ] as const) {
      it.effect.skipIf(skipped !== "")(`count the cells of ${height}x${width} alone, no padding`, () =>
        Effect.gen(function* () {
          const random = RandomStream.make(2, "average pool", height, width)
          const x = Float32Array.from({ length: height * width }, () => random.between(1, 2))
          const runtime = yield* TensorRuntime
          const pooled = yield* runtime.jit(
            ({ x }) => ({
              halved: averagePoolHalving(x as tf.Tensor4D),
              dense: averagePoolDilated(x as tf.Tensor4D, 1),
              dilated: averagePoolDilated(x as tf.Tensor4D, 2)
            }),
            { inputs: { x: { shape: [1, height, width, 1], dtype: "float32" } }, precision: "float32" }
          )
          const { dense, dilated, halved } = yield* pooled.run({ x })
          const assertPooled = (actual: ArrayLike<number>, windows: Windows) => {
            const wanted = reference(x, height, width, windows)
            assert.strictEqual(actual.length, wanted.length)
            for (const [i, value] of wanted.entries()) assert.approximately(actual[i]!, value, 1e-6)
          }
          assertPooled(halved, { stride: 2, dilation: 1 })
          assertPooled(dense, { stride: 1, dilation: 1 })
          assertPooled(dilated, { stride: 1, dilation: 2 })
        }).pipe(Effect.provide(layer))
      )
    }
  })
}
