import { assert, describe, it } from "@effect/vitest"
import { randomWindow } from "../../../../lib/data/augment/random-resized-crop.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"

const usual = { area: [0.08, 1], aspect: [3 / 4, 4 / 3] } as const

const windows = (count: number, size: { readonly height: number; readonly width: number }) =>
  Array.from({ length: count }, (_, index) => randomWindow(RandomStream.make(5, index), size, usual))

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

describe("randomWindow", () => {
  it("stays in the image, with the asked areas and aspects", () => {
    for (const { columns, left, rows, top } of windows(2000, { height: 256, width: 300 })) {
      assert.isTrue(top >= 0 && left >= 0 && top + rows <= 256 && left + columns <= 300)
      // Sides are whole pixels.
      assert.isTrue((rows + 1) * (columns + 1) >= 0.08 * 256 * 300 && rows * columns <= 256 * 300)
      assert.isTrue((columns - 1) / rows <= 4 / 3 && (columns + 1) / rows >= 3 / 4)
    }
  })

  it("draws areas evenly and aspects as often wide as high", () => {
    const drawn = windows(4000, { height: 1000, width: 1000 })
    // Above 3/4, high and wide parts do not fit and are drawn anew, which takes from the mean of 0.54.
    const area = mean(drawn.map(({ columns, rows }) => (columns * rows) / 1e6))
    assert.approximately(area, 0.478, 0.01)
    assert.approximately(mean(drawn.map(({ columns, rows }) => Math.log(columns / rows))), 0, 0.01)
    const places = drawn.map(({ left, columns }) => (columns === 1000 ? 0.5 : left / (1000 - columns)))
    assert.approximately(mean(places), 0.5, 0.02)
  })

  it("takes the middle, at the next allowed aspect, where nothing fits", () => {
    const all = { area: [1, 1], aspect: [3 / 4, 4 / 3] } as const
    const random = RandomStream.make(1)
    assert.deepStrictEqual(randomWindow(random, { height: 30, width: 100 }, all), {
      top: 0,
      left: 30,
      rows: 30,
      columns: 40
    })
    assert.deepStrictEqual(randomWindow(random, { height: 100, width: 30 }, all), {
      top: 30,
      left: 0,
      rows: 40,
      columns: 30
    })
  })
})
