import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { localMean } from "../../../lib/nn/local-mean.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { runtimes } from "../../support/runtimes.ts"

/** PyTorch's `avg_pool2d(x, 3, 1, 1)`: the sum of what lies inside, over nine wherever that is. */
const reference = (x: Float32Array, height: number, width: number) =>
  Float32Array.from({ length: height * width }, (_, cell) => {
    const [row, column] = [Math.floor(cell / width), cell % width]
    let sum = 0
    for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, height - 1); r++) {
      for (let c = Math.max(column - 1, 0); c <= Math.min(column + 1, width - 1); c++)
        sum += x[r * width + c]!
    }
    return sum / 9
  })

for (const { name, skipped, layer } of runtimes) {
  describe(`localMean on the ${name} runtime${skipped}`, () => {
    for (const [height, width] of [
      [5, 7],
      [4, 2],
      [1, 1]
    ] as const) {
      it.effect.skipIf(skipped !== "")(`averages ${height}x${width} and its gradient, zeros counted`, () =>
        Effect.gen(function* () {
          const random = RandomStream.make(2, "local mean", height, width)
          const draw = () => Float32Array.from({ length: height * width }, () => random.between(-1, 1))
          const spec = { shape: [1, height, width, 1], dtype: "float32" } as const
          const runtime = yield* TensorRuntime
          const step = yield* runtime.jit(
            ({ dy, x }) => {
              const mean = (of: tf.Tensor) => localMean(of as tf.Tensor4D, 3)
              return { y: mean(x), dx: tf.grad(mean)(x, dy) }
            },
            { inputs: { x: spec, dy: spec }, precision: "float32" }
          )
          const [x, dy] = [draw(), draw()]
          const found = yield* step.run({ x, dy })
          // The windows are symmetric, so the gradient is the local mean of what comes back.
          for (const [what, from] of [
            [found.y, x],
            [found.dx, dy]
          ] as const) {
            const wanted = reference(from, height, width)
            for (const [cell, value] of wanted.entries()) assert.approximately(what[cell]!, value, 1e-6)
          }
        }).pipe(Effect.provide(layer))
      )
    }
  })
}
