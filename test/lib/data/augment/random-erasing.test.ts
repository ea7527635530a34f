import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { eraseRandomly, RandomErasing } from "../../../../lib/data/augment/random-erasing.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"

const size = { height: 40, width: 30, channels: 3 }
const paramsOf = Schema.decodeSync(RandomErasing)

/** What is left of an image of ones: where it is not 1 any more, as pixels. */
const erased = (params: typeof RandomErasing.Encoded, key: number) => {
  const image = new Float32Array(40 * 30 * 3).fill(1)
  eraseRandomly(image, size, RandomStream.make(6, key), paramsOf(params))
  const pixels = Array.from({ length: 40 * 30 }, (_, pixel) => pixel).filter((at) => image[at * 3] !== 1)
  const rows = pixels.map((at) => Math.floor(at / 30))
  const columns = pixels.map((at) => at % 30)
  const extent = (of: ReadonlyArray<number>) => Math.max(...of) - Math.min(...of) + 1
  return { image, count: pixels.length, rows: extent(rows), columns: extent(columns) }
}

describe("random erasing", () => {
  it("erases one rectangle of the asked areas and aspects, all channels", () => {
    for (let key = 0; key < 300; key++) {
      const { columns, count, image, rows } = erased({ probability: 1 }, key)
      assert.strictEqual(count, rows * columns)
      assert.strictEqual(image.filter((value) => value === 0).length, 3 * count)
      assert.isTrue((rows + 1) * (columns + 1) >= 0.02 * 1200 && (rows - 1) * (columns - 1) <= 400)
      assert.isTrue((rows + 1) / (columns - 1) >= 0.3 && (rows - 1) / (columns + 1) <= 1 / 0.3)
    }
  })

  it("leaves as many images alone as it is told", () => {
    const touched = Array.from({ length: 2000 }, (_, key) => erased({ probability: 0.25 }, key).count > 0)
    assert.approximately(touched.filter(Boolean).length, 500, 60)
    assert.isFalse(erased({ probability: 0 }, 1).count > 0)
  })

  it("fills with noise of deviation 1, where asked", () => {
    const values = Array.from({ length: 20 }, (_, key) => [
      ...erased({ probability: 1, fill: "pixel" }, key).image.filter((value) => value !== 1)
    ]).flat()
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
    assert.approximately(mean, 0, 0.05)
    assert.approximately(variance, 1, 0.05)
  })

  it("leaves an image alone that no drawn rectangle fits", () =>
    assert.strictEqual(erased({ probability: 1, area: [1, 1], aspect: [4, 5] }, 3).count, 0))
})
