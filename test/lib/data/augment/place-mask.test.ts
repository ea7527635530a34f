import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { writePlacedMask } from "../../../../lib/data/augment/place-mask.ts"
import { type Placement, randomPlacement } from "../../../../lib/data/augment/placement.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"

const size = { height: 3, width: 4 }
const placed = (masks: Uint8Array, placement: Partial<Placement> = {}, frame = size) => {
  const output = new Int32Array(frame.height * frame.width + 2).fill(-7)
  writePlacedMask({
    output,
    to: 1,
    masks,
    from: 0,
    size: frame,
    placement: {
      rows: frame.height,
      columns: frame.width,
      flip: false,
      flipVertical: false,
      scale: 1,
      top: 0,
      left: 0,
      ...placement
    }
  })
  assert.deepStrictEqual([output[0], output[output.length - 1]], [-7, -7])
  return [...output.subarray(1, -1)]
}
const mask = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255, 0)

describe("writePlacedMask", () => {
  it("leaves a mask in place as it is", () => assert.deepStrictEqual(placed(mask), [...mask]))

  it("mirrors, and twice is itself", () => {
    const mirrored = placed(mask, { flip: true })
    assert.deepStrictEqual(mirrored, [4, 3, 2, 1, 8, 7, 6, 5, 0, 255, 10, 9])
    assert.deepStrictEqual(placed(Uint8Array.from(mirrored), { flip: true }), [...mask])
    const overturned = placed(mask, { flipVertical: true })
    assert.deepStrictEqual(overturned, [9, 10, 255, 0, 5, 6, 7, 8, 1, 2, 3, 4])
    assert.deepStrictEqual(placed(Uint8Array.from(overturned), { flipVertical: true }), [...mask])
  })

  it("takes the pixel under each centre; beyond the image it is ignored", () => {
    assert.deepStrictEqual(
      placed(mask, { scale: 2, top: -2, left: -3 }),
      [6, 7, 7, 8, 6, 7, 7, 8, 10, 255, 255, 0]
    )
    assert.deepStrictEqual(
      placed(mask, { rows: 2, top: 1, left: 2 }),
      [255, 255, 255, 255, 255, 255, 1, 2, 255, 255, 5, 6]
    )
  })

  it("takes the last pixel where a centre lies on the image's very end", () =>
    assert.deepStrictEqual(placed(mask, { flip: true, left: 0.5 }), [4, 4, 3, 2, 8, 8, 7, 6, 0, 0, 255, 10]))

  it.prop(
    "has no value that the mask had not",
    { seed: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })) },
    ({ seed }) => {
      const random = RandomStream.make(seed)
      const frame = { height: 4 + random.below(20), width: 4 + random.below(20) }
      const classes = [random.below(255), random.below(255), 255]
      const masks = Uint8Array.from({ length: frame.height * frame.width }, () => classes[random.below(3)]!)
      const sizes = { ...frame, rows: frame.height, columns: frame.width }
      const placement = randomPlacement(random, sizes, { flip: true, flipVertical: true, scale: [0.3, 3] })
      assert.includeMembers(classes, [...new Set(placed(masks, placement, frame))])
    }
  )
})
