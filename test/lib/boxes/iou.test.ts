import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { boxAreas, boxIou, clipBoxes } from "../../../lib/boxes/iou.ts"
import { assertClose, readGolden } from "../../support/golden.ts"
import { flatBoxes, RandomBox } from "../../support/randomBoxes.ts"

const golden = readGolden<{ iou: { a: Array<number>; b: Array<number>; iou: Array<number> } }>("detection")

const Boxes = Schema.Array(RandomBox)

/** Mirrored left to right in an image 100 pixels wide. */
const flipped = (boxes: Float32Array) =>
  boxes.map((value, index) => {
    if (index % 4 === 1) return 100 - boxes[index + 2]!
    if (index % 4 === 3) return 100 - boxes[index - 2]!
    return value
  })

describe("boxIou", () => {
  it("equals torchvision's box_iou", () =>
    assertClose(
      boxIou(Float32Array.from(golden.iou.a), Float32Array.from(golden.iou.b)),
      golden.iou.iou,
      1e-12
    ))

  it("counts half-open pixels", () =>
    assert.deepStrictEqual(
      [...boxIou(Float32Array.of(0, 0, 2, 2), Float32Array.of(0, 1, 2, 3, 0, 2, 2, 4))],
      [2 / 6, 0]
    ))

  it("is 0 with a box that has no area, also with itself", () => {
    const degenerate = Float32Array.of(5, 5, 5, 9, 8, 8, 2, 2, 1, 1, 1, 1)
    const boxes = Float32Array.from([...degenerate, 0, 0, 10, 10])
    assert.deepStrictEqual([...boxIou(degenerate, boxes)], new Array(12).fill(0))
    assert.deepStrictEqual([...boxAreas(boxes)], [0, 0, 0, 100])
  })

  it.prop("is symmetric, within 0…1, and 1 with itself alone", { a: Boxes, b: Boxes }, ({ a, b }) => {
    const [first, second] = [flatBoxes(a), flatBoxes(b)]
    const [there, back] = [boxIou(first, second), boxIou(second, first)]
    a.forEach((box, i) => {
      b.forEach((other, j) => {
        const iou = there[i * b.length + j]!
        assert.strictEqual(iou, back[j * a.length + i])
        assert.isTrue(iou >= 0 && iou <= 1)
        assert.strictEqual(iou === 1, JSON.stringify(box) === JSON.stringify(other))
      })
    })
  })

  it.prop("a flip of the image keeps it", { a: Boxes, b: Boxes }, ({ a, b }) => {
    const [first, second] = [flatBoxes(a), flatBoxes(b)]
    assert.deepStrictEqual(boxIou(flipped(first), flipped(second)), boxIou(first, second))
  })
})

describe("clipBoxes", () => {
  it("keeps what is inside and takes the area of what is outside", () => {
    const clipped = clipBoxes(Float32Array.of(-5, -3, 4, 300, 120, 10, 140, 20), 100, 200)
    assert.deepStrictEqual([...clipped], [0, 0, 4, 200, 100, 10, 100, 20])
    assert.deepStrictEqual([...boxAreas(clipped)], [800, 0])
  })
})
