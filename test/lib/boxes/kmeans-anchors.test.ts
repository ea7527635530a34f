import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { AnchorSize } from "../../../lib/boxes/anchors.ts"
import { kmeansAnchorSizes, meanBestIou } from "../../../lib/boxes/kmeans-anchors.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { flatBoxes, RandomBox } from "../../support/randomBoxes.ts"

const boxesOfSizes = (sizes: ReadonlyArray<AnchorSize>) =>
  Float32Array.from(sizes.flatMap(([height, width]) => [3, 7, 3 + height, 7 + width]))

/** Three clouds of 60 boxes around 10 × 20, 40 × 40 and 90 × 30. */
const clouds = () => {
  const random = RandomStream.make(5)
  const centres: ReadonlyArray<AnchorSize> = [
    [10, 20],
    [40, 40],
    [90, 30]
  ]
  return boxesOfSizes(
    Array.from({ length: 180 }, (_, index): AnchorSize => {
      const [height, width] = centres[index % 3]!
      return [height * random.between(0.9, 1.1), width * random.between(0.9, 1.1)]
    })
  )
}

const choose = (boxes: Float32Array, count: number, seed = 1) =>
  kmeansAnchorSizes({ boxes, count, random: RandomStream.make(seed, "anchors") })

const within = (value: number, values: ReadonlyArray<number>) =>
  value > Math.min(...values) - 1e-9 && value < Math.max(...values) + 1e-9

const Boxes = Schema.Array(RandomBox).check(Schema.isMinLength(1))
const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 }))

describe("kmeansAnchorSizes", () => {
  it("finds the clouds that are there, by rising area", () => {
    const { sizes, meanBestIou: score } = choose(clouds(), 3)
    const wanted = [
      [10, 20],
      [40, 40],
      [90, 30]
    ].sort((a, b) => a[0]! * a[1]! - b[0]! * b[1]!)
    sizes.forEach(([height, width], index) => {
      assert.approximately(height, wanted[index]![0]!, wanted[index]![0]! * 0.03)
      assert.approximately(width, wanted[index]![1]!, wanted[index]![1]! * 0.03)
    })
    assert.isAbove(score, 0.88)
  })

  it("the stream decides, and nothing else", () => {
    const boxes = clouds()
    assert.deepStrictEqual(choose(boxes, 5, 3), choose(boxes, 5, 3))
    assert.notDeepEqual(choose(boxes, 5, 3), choose(boxes, 5, 4))
  })

  it("more sizes than the boxes have come out doubled; boxes without area are passed over", () => {
    const boxes = Float32Array.from([...boxesOfSizes([[4, 6]]), 5, 5, 5, 9, 9, 9, 8, 12])
    assert.deepStrictEqual(choose(boxes, 2), {
      sizes: [
        [4, 6],
        [4, 6]
      ],
      meanBestIou: 1
    })
  })

  it("says what to do where there is no box", () =>
    assert.throws(() => choose(Float32Array.of(5, 5, 5, 9), 2), RangeError, "give their sizes as params"))

  it.prop(
    "gives as many as asked for, by rising area, no larger or smaller than the boxes, and their score",
    { boxes: Boxes, count: Count },
    ({ boxes, count }) => {
      const flat = flatBoxes(boxes)
      const { sizes, meanBestIou: score } = choose(flat, count)
      assert.strictEqual(sizes.length, count)
      const areas = sizes.map(([height, width]) => height * width)
      assert.deepStrictEqual(
        areas,
        [...areas].sort((a, b) => a - b)
      )
      assert.approximately(score, meanBestIou(flat, sizes), 1e-12)
      for (const [height, width] of sizes) {
        assert.isTrue(
          within(
            height,
            boxes.map((box) => box.height)
          )
        )
        assert.isTrue(
          within(
            width,
            boxes.map((box) => box.width)
          )
        )
      }
      assert.isTrue(score > 0 && score <= 1)
    }
  )
})
