import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../infra/tensorflow/portable/wasm.ts"
import { type Conv, conv2d, convMacs, convWeights } from "../../../lib/nn/conv.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { tf } from "../../../lib/tensor/tf.ts"

beforeAll(() => Effect.runPromise(startWasm))

type Square = Conv & { readonly size: number }

/** The definition, as PyTorch's documentation gives it: zeros on every side, windows from the top left. */
const reference = (conv: Square, x: Float32Array, kernel: Float32Array, height: number, width: number) => {
  const { size, inputs, outputs, stride, dilation = 1 } = conv
  const pad = (dilation * (size - 1)) / 2
  const rows = Math.floor((height - 1) / stride) + 1
  const columns = Math.floor((width - 1) / stride) + 1
  const y = new Float32Array(rows * columns * outputs)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let tap = 0; tap < size * size; tap++) {
        const h = row * stride + Math.floor(tap / size) * dilation - pad
        const w = column * stride + (tap % size) * dilation - pad
        if (h < 0 || w < 0 || h >= height || w >= width) continue
        for (let i = 0; i < inputs; i++) {
          for (let o = 0; o < outputs; o++) {
            y[(row * columns + column) * outputs + o]! +=
              x[(h * width + w) * inputs + i]! * kernel[(tap * inputs + i) * outputs + o]!
          }
        }
      }
    }
  }
  return { rows, columns, y }
}

const random = RandomStream.make(1, "conv test")
const values = (count: number) => Float32Array.from({ length: count }, () => random.below(7) - 3)

describe("conv2d", () => {
  for (const [size, stride, dilation] of [
    [3, 1, 1],
    [3, 2, 1],
    [1, 1, 1],
    [1, 2, 1],
    [3, 1, 2],
    [3, 1, 4],
    [1, 1, 2]
  ] as const) {
    for (const [height, width] of [
      [4, 4],
      [5, 5],
      [6, 7],
      [1, 2]
    ] as const) {
      it(`${size}x${size}/${stride} dilated by ${dilation} pads ${height}x${width} as PyTorch does`, () => {
        const conv: Square = { name: "c", size, inputs: 2, outputs: 3, stride, dilation }
        const x = values(height * width * 2)
        const kernel = values(size * size * 2 * 3)
        const expected = reference(conv, x, kernel, height, width)
        const y = tf.tidy(() =>
          conv2d(
            { "c.weight": tf.tensor4d(kernel, [size, size, 2, 3]) },
            conv,
            tf.tensor4d(x, [1, height, width, 2])
          )
        )
        assert.deepStrictEqual(y.shape, [1, expected.rows, expected.columns, 3])
        assert.deepStrictEqual(Float32Array.from(y.dataSync()), expected.y)
        assert.strictEqual(convMacs(conv, height, width), expected.rows * expected.columns * size ** 2 * 6)
        y.dispose()
      })
    }
  }

  it("adds a bias to each output, and declares it where it is asked for", () => {
    const conv: Conv = { name: "c", size: 1, inputs: 1, outputs: 2, stride: 1, bias: true }
    const weights = { "c.weight": tf.tensor4d([2, 3], [1, 1, 1, 2]), "c.bias": tf.tensor1d([10, 20]) }
    const y = conv2d(weights, conv, tf.tensor4d([1, 4], [1, 1, 2, 1]))
    assert.deepStrictEqual([...y.dataSync()], [12, 23, 18, 32])
    assert.deepStrictEqual(convWeights({ ...conv, size: 3, inputs: 5 }), [
      { name: "c.weight", shape: [3, 3, 5, 2], role: "kernel" },
      { name: "c.bias", shape: [2], role: "bias", fanIn: 45 }
    ])
    const initial = {
      kernel: { kind: "normal", deviation: 0.1 },
      bias: { kind: "constant", value: 1 }
    } as const
    assert.deepStrictEqual(
      convWeights({ ...conv, initial }).map((spec) => spec.initial),
      [initial.kernel, initial.bias]
    )
  })

  it("stride 2 on an even size begins at the padding, by hand", () => {
    // 4x4 image of 1…16, kernel of ones: PyTorch's first window covers the corner [[1, 2], [5, 6]] and zeros.
    const x = tf.tensor4d(
      Array.from({ length: 16 }, (_, i) => i + 1),
      [1, 4, 4, 1]
    )
    const conv: Conv = { name: "c", size: 3, inputs: 1, outputs: 1, stride: 2 }
    const y = conv2d({ "c.weight": tf.ones([3, 3, 1, 1]) }, conv, x)
    assert.deepStrictEqual([...y.dataSync()], [14, 30, 57, 99])
  })
})
