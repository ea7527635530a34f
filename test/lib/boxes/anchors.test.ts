import { assert, describe, it } from "@effect/vitest"
import { countAnchors, makeAnchors, retinaAnchorSizes } from "../../../lib/boxes/anchors.ts"
import { assertClose } from "../../support/golden.ts"

describe("makeAnchors", () => {
  it("goes through levels, rows, columns and sizes, in this order", () => {
    const levels = [
      {
        stride: 4,
        rows: 2,
        columns: 1,
        sizes: [
          [2, 4],
          [6, 2]
        ] as const
      },
      { stride: 8, rows: 1, columns: 1, sizes: [[8, 8]] as const }
    ]
    const anchors = makeAnchors({ height: 8, width: 4, levels })
    assert.strictEqual(countAnchors(levels), 5)
    assert.deepStrictEqual(
      [...anchors],
      [...[1, 0, 3, 4], ...[-1, 1, 5, 3], ...[5, 0, 7, 4], ...[3, 1, 9, 3], ...[0, 0, 8, 8]]
    )
  })

  it("covers images whose size is no multiple of the stride", () => {
    const grid = { stride: 8, sizes: [[8, 8]] as const }
    const anchors = makeAnchors({ height: 20, width: 9, levels: [{ ...grid, rows: 3, columns: 2 }] })
    assert.deepStrictEqual([...anchors.subarray(-4)], [16, 8, 24, 16])
  })

  it("refuses a grid that does not fit the image", () => {
    const sizes = [[8, 8]] as const
    const make = (rows: number) =>
      makeAnchors({ height: 64, width: 64, levels: [{ stride: 8, rows, columns: 8, sizes }] })
    assert.strictEqual(make(8).length, 64 * 4)
    assert.throws(() => make(4), RangeError, "4 rows of stride 8 do not cover 64 pixels: there must be 8")
    assert.throws(() => make(7), RangeError)
    assert.throws(() => make(9), RangeError)
  })
})

describe("retinaAnchorSizes", () => {
  it("has three areas an octave apart at most, each in three shapes", () => {
    const sizes = retinaAnchorSizes(8)
    assert.strictEqual(sizes.length, 9)
    assertClose(
      sizes.map(([height, width]) => Math.sqrt(height * width)),
      [32, 32, 32, 40.3175, 40.3175, 40.3175, 50.7968, 50.7968, 50.7968],
      1e-5
    )
    assertClose(
      sizes.map(([height, width]) => height / width),
      [0.5, 1, 2, 0.5, 1, 2, 0.5, 1, 2],
      1e-12
    )
  })
})
