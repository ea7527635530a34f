/** Convolutions that are not square, not padded, dilated, or of each channel by itself. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Conv, conv2d, convExtents, convMacs, convWeights } from "../../../lib/nn/conv.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { runtimes } from "../../support/runtimes.ts"

const CHANNELS = 4

/** What every output sums up: places of the input, or nothing where a tap lies in the padding. */
const reference = (conv: Conv, x: Float32Array, kernel: Float32Array, height: number, width: number) => {
  const { depthwise = false, dilation = 1, outputs, padding, size, stride } = conv
  const [rows, columns] = typeof size === "number" ? [size, size] : size
  const zeros = (taps: number) => (padding === "none" ? 0 : (dilation * (taps - 1)) / 2)
  const along = (extent: number, taps: number) =>
    Math.floor((extent + 2 * zeros(taps) - dilation * (taps - 1) - 1) / stride) + 1
  const [rowsOut, columnsOut] = [along(height, rows), along(width, columns)]
  const y = new Float32Array(rowsOut * columnsOut * outputs)
  for (const [place] of y.entries()) {
    const output = place % outputs
    const cell = Math.floor(place / outputs)
    for (let tap = 0; tap < rows * columns; tap++) {
      const h = Math.floor(cell / columnsOut) * stride + Math.floor(tap / columns) * dilation - zeros(rows)
      const w = (cell % columnsOut) * stride + (tap % columns) * dilation - zeros(columns)
      if (h < 0 || w < 0 || h >= height || w >= width) continue
      const from = (h * width + w) * CHANNELS
      if (depthwise) y[place]! += x[from + output]! * kernel[tap * CHANNELS + output]!
      else {
        for (let i = 0; i < CHANNELS; i++) {
          y[place]! += x[from + i]! * kernel[(tap * CHANNELS + i) * outputs + output]!
        }
      }
    }
  }
  return { extents: [rowsOut, columnsOut], y }
}

const windows: ReadonlyArray<readonly [string, Omit<Conv, "name" | "inputs" | "outputs">]> = [
  ["1x7", { size: [1, 7], stride: 1 }],
  ["7x1", { size: [7, 1], stride: 1 }],
  ["3x1 with stride 2", { size: [3, 1], stride: 2 }],
  ["3x3 without padding", { size: 3, stride: 1, padding: "none" }],
  ["3x3 without padding, stride 2", { size: 3, stride: 2, padding: "none" }],
  ["depthwise 3x3", { size: 3, stride: 1, depthwise: true }],
  ["depthwise 3x3 with stride 2", { size: 3, stride: 2, depthwise: true }],
  ["depthwise 3x3 with dilation 2", { size: 3, stride: 1, dilation: 2, depthwise: true }]
]

for (const { name, skipped, layer } of runtimes) {
  describe(`conv2d on the ${name} runtime${skipped}`, () => {
    for (const [what, window] of windows) {
      it.effect.skipIf(skipped !== "")(`${what}: what the definition says, on even and odd sizes`, () =>
        Effect.gen(function* () {
          const conv: Conv = {
            name: "c",
            inputs: CHANNELS,
            outputs: window.depthwise ? CHANNELS : 3,
            ...window
          }
          const [spec] = convWeights(conv)
          const random = RandomStream.make(1, what)
          const draw = (length: number) => Float32Array.from({ length }, () => random.below(7) - 3)
          const kernel = draw(spec!.shape.reduce((a, b) => a * b))
          const runtime = yield* TensorRuntime
          for (const [height, width] of [
            [8, 6],
            [7, 9]
          ] as const) {
            const compiled = yield* runtime.jit(
              ({ x }) => ({
                y: conv2d({ "c.weight": tf.tensor(kernel, [...spec!.shape]) }, conv, x as tf.Tensor4D)
              }),
              {
                inputs: { x: { shape: [1, height, width, CHANNELS], dtype: "float32" } },
                precision: "float32"
              }
            )
            const x = draw(height * width * CHANNELS)
            const wanted = reference(conv, x, kernel, height, width)
            assert.deepStrictEqual([...convExtents(conv, height, width)], wanted.extents)
            assert.strictEqual(
              convMacs(conv, height, width),
              (kernel.length / conv.outputs) * wanted.y.length
            )
            assert.deepStrictEqual((yield* compiled.run({ x })).y, wanted.y)
          }
        }).pipe(Effect.scoped, Effect.provide(layer))
      )
    }
  })
}
