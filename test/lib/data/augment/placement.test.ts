import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  coveredPixels,
  horizontalAxis,
  type Placement,
  placeInImage,
  randomPlacement,
  verticalAxis
} from "../../../../lib/data/augment/placement.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 }))
const sizes = { rows: 30, columns: 40, height: 32, width: 40 }
const manyOf = (params: Parameters<typeof randomPlacement>[2]) =>
  Array.from({ length: 400 }, (_, index) => randomPlacement(RandomStream.make(3, index), sizes, params))

describe("randomPlacement", () => {
  it.prop("is the image as it is, in its corner, where nothing is asked for", { seed: Seed }, ({ seed }) =>
    assert.deepStrictEqual(
      randomPlacement(RandomStream.make(seed), sizes, { flip: false, flipVertical: false, scale: [1, 1] }),
      { rows: 30, columns: 40, flip: false, flipVertical: false, scale: 1, top: 0, left: 0 }
    )
  )

  it("mirrors half of the images, each way by itself", () => {
    const both = manyOf({ flip: true, flipVertical: true, scale: [1, 1] })
    for (const flip of [false, true]) {
      for (const flipVertical of [false, true]) {
        const some = both.filter((it) => it.flip === flip && it.flipVertical === flipVertical)
        assert.approximately(some.length, 100, 30)
      }
    }
    const one = manyOf({ flip: false, flipVertical: true, scale: [1, 1] })
    assert.isFalse(one.some(({ flip }) => flip))
    assert.isTrue(one.some(({ flipVertical }) => flipVertical))
  })

  it("takes scales from the whole range", () => {
    const scales = manyOf({ flip: false, flipVertical: false, scale: [0.5, 2] }).map(({ scale }) => scale)
    assert.isTrue(scales.every((scale) => scale >= 0.5 && scale < 2))
    assert.isBelow(Math.min(...scales), 0.55)
    assert.isAbove(Math.max(...scales), 1.95)
  })

  it.prop(
    "leaves no room where the image is the larger, and cuts nothing where it is the smaller",
    { seed: Seed },
    ({ seed }) => {
      const placement = randomPlacement(RandomStream.make(seed), sizes, {
        flip: true,
        flipVertical: true,
        scale: [0.5, 2]
      })
      for (const [axis, frame] of [
        [verticalAxis(placement), sizes.height],
        [horizontalAxis(placement), sizes.width]
      ] as const) {
        const [from, to] = [axis.offset, axis.offset + axis.length * axis.scale]
        if (axis.length * axis.scale > frame) assert.isTrue(from <= 0 && to >= frame - 1e-9, `${from} ${to}`)
        else assert.isTrue(from >= 0 && to <= frame + 1e-9, `${from} ${to}`)
      }
    }
  )

  it("draws the same places whether flips are on or not", () => {
    const placed = (flip: boolean) => manyOf({ flip, flipVertical: flip, scale: [0.5, 2] })
    const place = ({ left, scale, top }: Placement) => ({ left, scale, top })
    assert.deepStrictEqual(placed(true).map(place), placed(false).map(place))
  })
})

describe("an axis", () => {
  it.prop("covers exactly the pixels whose centres lie on the image", { seed: Seed }, ({ seed }) => {
    const random = RandomStream.make(seed)
    const axis = {
      length: random.below(12),
      flip: random.below(2) === 1,
      scale: random.between(0.2, 4),
      offset: random.between(-20, 20)
    }
    const { begin, end } = coveredPixels(axis, 16)
    assert.isTrue(begin <= end)
    for (let pixel = 0; pixel < 16; pixel++) {
      const centre = pixel + 0.5
      const isOn = centre >= axis.offset && centre < axis.offset + axis.length * axis.scale
      assert.strictEqual(pixel >= begin && pixel < end, isOn, `pixel ${pixel}`)
      const place = placeInImage(axis, pixel)
      if (isOn) assert.isTrue(place > -1e-9 && place < axis.length + 1e-9)
    }
  })
})
