import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { normalizationTable } from "../../../../lib/data/augment/normalization.ts"
import { placeBoxes } from "../../../../lib/data/augment/place-boxes.ts"
import { writePlaced } from "../../../../lib/data/augment/place-image.ts"
import { writePlacedMask } from "../../../../lib/data/augment/place-mask.ts"
import { type Placement, randomPlacement } from "../../../../lib/data/augment/placement.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"

const frame = { height: 100, width: 200 }
const placement = (change: Partial<Placement> = {}): Placement => ({
  rows: 100,
  columns: 200,
  flip: false,
  flipVertical: false,
  scale: 1,
  top: 0,
  left: 0,
  ...change
})
const boxesOf = (...boxes: ReadonlyArray<readonly [number, number, number, number]>) => ({
  boxes: Float32Array.from(boxes.flat()),
  classes: Int32Array.from(boxes, (_, index) => index),
  difficult: new Uint8Array(boxes.length)
})

describe("placeBoxes", () => {
  it("leaves boxes in place as they are, however small", () => {
    const boxes = boxesOf([10.5, 20, 30, 60.25], [5, 5, 6, 6])
    assert.deepStrictEqual(placeBoxes(boxes, placement(), frame), boxes)
  })

  it("mirrors within the image, not its frame", () => {
    const mirrored = (change: Partial<Placement>) => [
      ...placeBoxes(boxesOf([10, 20, 30, 60]), placement(change), frame).boxes
    ]
    assert.deepStrictEqual(mirrored({ flip: true }), [10, 140, 30, 180])
    assert.deepStrictEqual(mirrored({ flipVertical: true }), [70, 20, 90, 60])
    assert.deepStrictEqual(
      mirrored({ flip: true, flipVertical: true, rows: 40, columns: 80 }),
      [10, 20, 30, 60]
    )
  })

  it("scales, moves and cuts at the frame", () => {
    const placed = placeBoxes(
      boxesOf([10, 20, 30, 60], [0, 0, 50, 100], [60, 100, 90, 190]),
      placement({ scale: 1.5, top: -25, left: -50 }),
      frame
    )
    assert.deepStrictEqual(placed, {
      boxes: Float32Array.of(0, 0, 20, 40, 0, 0, 50, 100, 65, 100, 100, 200),
      classes: Int32Array.of(0, 1, 2),
      difficult: Uint8Array.of(0, 0, 0)
    })
  })

  it("drops what leaves the frame, keeps the classes of the others", () => {
    const placed = placeBoxes(
      boxesOf([0, 0, 10, 10], [40, 80, 60, 120], [90, 0, 100, 20]),
      placement({ scale: 2, top: -50, left: -100 }),
      frame
    )
    assert.deepStrictEqual([...placed.classes], [1])
    assert.deepStrictEqual([...placed.boxes], [30, 60, 70, 140])
  })

  it("makes difficult of which less than 0.3 is left, or less than 2 pixels", () => {
    const difficultOf = (box: readonly [number, number, number, number], change: Partial<Placement>) => [
      ...placeBoxes(boxesOf(box), placement(change), frame).difficult
    ]
    assert.deepStrictEqual(difficultOf([0, 0, 50, 40], { left: -28 }), [0])
    assert.deepStrictEqual(difficultOf([0, 0, 50, 40], { left: -28.5 }), [1])
    assert.deepStrictEqual(difficultOf([10, 10, 14, 14], { scale: 0.5 }), [0])
    assert.deepStrictEqual(difficultOf([10, 10, 14, 14], { scale: 0.49 }), [1])
    assert.deepStrictEqual(difficultOf([10, 10, 14, 30], { scale: 0.49 }), [1])
  })

  it("does not forget what was difficult before", () => {
    const boxes = { ...boxesOf([10, 20, 30, 60], [50, 50, 90, 90]), difficult: Uint8Array.of(1, 0) }
    assert.deepStrictEqual([...placeBoxes(boxes, placement({ flip: true }), frame).difficult], [1, 0])
  })
})

/** The smallest box around the pixels of a frame that a test picks. */
const boxAround = (size: { height: number; width: number }, isInside: (pixel: number) => boolean) => {
  let [y1, x1, y2, x2] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let row = 0; row < size.height; row++) {
    for (let column = 0; column < size.width; column++) {
      if (!isInside(row * size.width + column)) continue
      ;[y1, x1] = [Math.min(y1, row), Math.min(x1, column)]
      ;[y2, x2] = [Math.max(y2, row + 1), Math.max(x2, column + 1)]
    }
  }
  return [y1, x1, y2, x2]
}

describe("boxes, masks and images", () => {
  const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 }))
  const size = { height: 40, width: 56, channels: 1 }
  const table = normalizationTable({ mean: [0], std: [1 / 255] })

  /** A filled box in an image that may be smaller than its frame, under any placement. */
  const scene = (seed: number) => {
    const random = RandomStream.make(seed)
    const [rows, columns] = [20 + random.below(21), 28 + random.below(29)]
    const [y1, x1] = [random.below(rows - 12), random.below(columns - 12)]
    const box = [y1, x1, y1 + 12 + random.below(rows - 11 - y1), x1 + 12 + random.below(columns - 11 - x1)]
    const mask = Uint8Array.from({ length: size.height * size.width }, (_, pixel) => {
      const [row, column] = [Math.floor(pixel / size.width), pixel % size.width]
      return row >= box[0]! && row < box[2]! && column >= box[1]! && column < box[3]! ? 1 : 0
    })
    const params = { flip: true, flipVertical: true, scale: [0.5, 2] } as const
    const placement = randomPlacement(random, { ...size, rows, columns }, params)
    return {
      mask,
      placement,
      boxes: { ...boxesOf(), boxes: Float32Array.from(box), classes: Int32Array.of(0) }
    }
  }

  it.prop("move together: within a pixel, around what is left of the box", { seed: Seed }, ({ seed }) => {
    const { boxes, mask, placement } = scene(seed)
    const output = new Int32Array(mask.length)
    writePlacedMask({ output, to: 0, masks: mask, from: 0, size, placement })
    const image = new Float32Array(mask.length)
    writePlaced({
      output: image,
      to: 0,
      pixels: mask.map((inside) => 255 * inside),
      from: 0,
      size,
      placement,
      colour: { brightness: 1, contrast: 1, saturation: 1 },
      table
    })
    const placed = placeBoxes(boxes, placement, size)
    const [y1, x1, y2, x2] = placed.boxes
    if (placed.classes.length === 0 || Math.min(y2! - y1!, x2! - x1!) < 4) return
    const ofMask = boxAround(size, (pixel) => output[pixel] === 1)
    const ofImage = boxAround(size, (pixel) => image[pixel]! > 127.5)
    placed.boxes.forEach((edge, index) => {
      assert.approximately(ofMask[index]!, edge, 0.5 + 1e-4, `mask, edge ${index}`)
      assert.approximately(ofImage[index]!, edge, 1, `image, edge ${index}`)
    })
  })
})
