import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { classColour, ignoredColour, inkOn, type Rgb } from "../../../lib/charts/class-colours.ts"
import { drawBoxes, drawMask, enlarge, enlargement, withLegend } from "../../../lib/charts/overlay.ts"
import { fontRows, textColumns } from "../../../lib/charts/pixel-font.ts"
import type { RawImage } from "../../../lib/data/ImageCodec.ts"

const plain = (height: number, width: number, colour: Rgb = [10, 20, 30]): RawImage => ({
  pixels: Uint8Array.from({ length: 3 * height * width }, (_, at) => colour[at % 3]!),
  height,
  width,
  channels: 3
})
const at = ({ pixels, width }: RawImage, y: number, x: number) => [
  ...pixels.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)
]

describe("enlarging", () => {
  it("makes a square of every pixel, grey or in colour", () => {
    const grey = { pixels: Uint8Array.of(1, 2, 3, 4, 5, 6), height: 2, width: 3, channels: 1 } as const
    const { pixels, ...size } = enlarge(grey, 2)
    assert.deepStrictEqual(size, { height: 4, width: 6, channels: 1 })
    assert.deepStrictEqual(
      [...pixels],
      [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 4, 4, 5, 5, 6, 6]
    )
    assert.deepStrictEqual(at(enlarge(plain(2, 2), 3), 5, 5), [10, 20, 30])
  })

  it("is by a whole factor within the bound, at least 1", () => {
    const factors = [
      [32, 20],
      [300, 299],
      [301, 5],
      [1000, 2000]
    ].map(([height, width]) => enlargement({ height: height!, width: width! }, 300))
    assert.deepStrictEqual(factors, [9, 1, 1, 1])
  })
})

describe("boxes", () => {
  const image = plain(60, 80)
  const box = { box: [20, 10, 50, 40], classIndex: 2, text: "" }

  it("are frames in the colour of their class, two pixels thick, the rest untouched", () => {
    const drawn = drawBoxes(image, [box])
    for (const [y, x] of [
      [20, 10],
      [21, 25],
      [49, 39],
      [30, 11],
      [30, 38]
    ] as const) {
      assert.deepStrictEqual(at(drawn, y, x), [...classColour(2)], `${y}, ${x}`)
    }
    for (const [y, x] of [
      [19, 10],
      [50, 39],
      [22, 12],
      [30, 40],
      [30, 37]
    ] as const) {
      assert.deepStrictEqual(at(drawn, y, x), [10, 20, 30], `${y}, ${x}`)
    }
  })

  it("leave the image they are given as it was", () => {
    drawBoxes(image, [{ ...box, text: "x" }])
    assert.deepStrictEqual(image.pixels, plain(60, 80).pixels)
  })

  it("bear their names above them, and inside where the picture ends", () => {
    const named = (top: number) => drawBoxes(image, [{ ...box, box: [top, 10, top + 25, 40], text: "ring" }])
    const plate = [...classColour(2)]
    assert.deepStrictEqual(at(named(30), 30 - 1, 10), plate)
    assert.deepStrictEqual(at(named(0), fontRows, 10), plate)
    const ink = [...inkOn(classColour(2))].join()
    const inked = (drawn: RawImage) =>
      Array.from({ length: 60 * 80 }, (_, index) =>
        at(drawn, Math.floor(index / 80), index % 80).join()
      ).filter((colour) => colour === ink).length
    assert.isAbove(inked(named(30)), 20)
    assert.strictEqual(inked(named(30)), inked(named(0)))
  })

  it("lie under those before them", () => {
    const drawn = drawBoxes(image, [box, { ...box, classIndex: 3 }])
    assert.deepStrictEqual(at(drawn, 20, 10), [...classColour(2)])
  })

  it("of a grey image make it one in colour", () => {
    const grey = { pixels: new Uint8Array(60 * 80).fill(7), height: 60, width: 80, channels: 1 } as const
    const drawn = drawBoxes(grey, [box])
    assert.strictEqual(drawn.channels, 3)
    assert.deepStrictEqual([at(drawn, 0, 0), at(drawn, 20, 10)], [[7, 7, 7], [...classColour(2)]])
  })

  const Corner = Schema.Finite.check(Schema.isBetween({ minimum: -200, maximum: 200 }))
  it.prop("may lie anywhere: the picture keeps its size", [Corner, Corner, Corner, Corner], (corners) => {
    const { pixels, ...size } = drawBoxes(image, [{ box: corners, classIndex: 5, text: "a name" }])
    assert.deepStrictEqual(size, { height: 60, width: 80, channels: 3 })
    assert.lengthOf(pixels, 60 * 80 * 3)
  })
})

describe("masks", () => {
  const image = { ...plain(2, 4), pixels: plain(2, 4, [200, 100, 0]).pixels }
  // 0.299 · 200 + 0.587 · 100 = 118.5
  const grey = [118, 118, 118]
  const colours = [null, [255, 0, 0], [0, 0, 255]] as const

  it("mix the classes' colours half and half into the grey picture; ignored pixels are plain grey", () => {
    const mask = Uint8Array.of(0, 1, 2, 255, 0, 1, 2, 255)
    const drawn = drawMask(image, { mask, height: 2, width: 4, colours })
    assert.deepStrictEqual(
      [0, 1, 2, 3].map((x) => at(drawn, 1, x)),
      [grey, [186, 59, 59], [59, 59, 186], [...ignoredColour]]
    )
  })

  it("of another size are stretched to the picture", () => {
    const drawn = drawMask(image, { mask: Uint8Array.of(0, 1), height: 1, width: 2, colours })
    assert.deepStrictEqual(
      [0, 1, 2, 3].map((x) => at(drawn, 1, x)),
      [grey, grey, [186, 59, 59], [186, 59, 59]]
    )
  })
})

describe("a legend", () => {
  it("is a strip below the picture, with as many lines as the names need", () => {
    const image = plain(40, 56)
    const entries = ["circle", "square", "triangle", "x"].map((text, index) => {
      return { text, colour: classColour(index) }
    })
    const oneLine = withLegend(image, entries.slice(3))
    const drawn = withLegend(image, entries)
    assert.strictEqual(drawn.width, 56)
    // "circle" and "square" do not fit beside each other, "x" fits beside "triangle".
    assert.isAbove(textColumns("circle") + textColumns("square") + 10, 56)
    assert.strictEqual((drawn.height - 40) / (oneLine.height - 40), 3)
    assert.deepStrictEqual(drawn.pixels.subarray(0, image.pixels.length), image.pixels)
    const strip = new Set(
      Array.from({ length: 56 * (drawn.height - 40) }, (_, index) =>
        at(drawn, 40 + Math.floor(index / 56), index % 56).join()
      )
    )
    for (const { colour } of entries) assert.isTrue(strip.has(colour.join()))
    assert.strictEqual(withLegend(image, []).height, 40)
  })
})
