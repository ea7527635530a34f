import { assert, describe, it } from "@effect/vitest"
import { fromPyTorch, toPyTorch } from "../../../lib/models/pytorch-layout.ts"

describe("PyTorch's layout", () => {
  it("turns kernels [out, in, H, W] into [H, W, in, out]", () => {
    // Value 1000 out + 100 in + 10 row + column, so that every digit tells its axis.
    const values = new Float32Array(2 * 3 * 2 * 2)
    for (let index = 0; index < values.length; index++) {
      const [out, rest] = [Math.floor(index / 12), index % 12]
      values[index] = 1000 * out + 100 * Math.floor(rest / 4) + 10 * Math.floor((rest % 4) / 2) + (rest % 2)
    }
    const ours = fromPyTorch({ k: { shape: [2, 3, 2, 2], values } }).k!
    assert.deepStrictEqual(ours.shape, [2, 2, 3, 2])
    const expected: Array<number> = []
    for (const row of [0, 1]) {
      for (const column of [0, 1]) {
        for (const channel of [0, 1, 2]) {
          for (const out of [0, 1]) expected.push(1000 * out + 100 * channel + 10 * row + column)
        }
      }
    }
    assert.deepStrictEqual([...ours.values], expected)
  })

  it("transposes linear kernels and leaves the rest alone; the way back undoes it", () => {
    const weights = {
      "fc.weight": { shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) },
      "fc.bias": { shape: [2], values: Float32Array.of(7, 8) }
    }
    const ours = fromPyTorch(weights)
    assert.deepStrictEqual(ours["fc.weight"], {
      shape: [3, 2],
      values: Float32Array.of(1, 4, 2, 5, 3, 6)
    })
    assert.deepStrictEqual(ours["fc.bias"], weights["fc.bias"])
    assert.deepStrictEqual(toPyTorch(ours), weights)
  })
})
