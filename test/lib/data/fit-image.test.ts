import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { layer as codecLayer } from "../../../infra/images/SharpImageCodec.ts"
import { extentOf, fillPadding, fitImage, paddingColour, type Target } from "../../../lib/data/fit-image.ts"
import type { RawImage } from "../../../lib/data/ImageCodec.ts"

const side = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 400 }))

describe("the extent of an image in its target", () => {
  it.prop(
    "fills one side, stays inside the other, and keeps the aspect to half a pixel",
    {
      image: Schema.Struct({ height: side, width: side }),
      target: Schema.Struct({ height: side, width: side })
    },
    ({ image, target }) => {
      const { columns, rows } = extentOf(image, { ...target, fit: "pad" })
      assert.isTrue(rows === target.height || columns === target.width)
      assert.isTrue(rows >= 1 && rows <= target.height && columns >= 1 && columns <= target.width)
      const scale = Math.min(target.height / image.height, target.width / image.width)
      if (rows > 1) assert.closeTo(rows, image.height * scale, 0.5)
      if (columns > 1) assert.closeTo(columns, image.width * scale, 0.5)
      assert.deepStrictEqual(extentOf(image, { ...target, fit: "stretch" }), {
        rows: target.height,
        columns: target.width
      })
    }
  )

  it("a photograph of 640 × 480 in a square of 320", () =>
    assert.deepStrictEqual(extentOf({ height: 480, width: 640 }, { height: 320, width: 320, fit: "pad" }), {
      rows: 240,
      columns: 320
    }))
})

/** Each pixel its own colour. */
const gradient = (height: number, width: number, channels: 1 | 3): RawImage => ({
  pixels: Uint8Array.from({ length: height * width * channels }, (_, index) => index + 1),
  height,
  width,
  channels
})

describe("a margin that is a multiple of 4", () => {
  const fit = { kind: "center-crop", shorterSide: 40, resampler: "bilinear" } as const
  const cut = (image: RawImage, height: number, width: number) =>
    fitImage(image, { height, width, channels: 1, fit })

  // Odd and even sides, so that halves of a pixel are rounded both ways.
  it.effect.each([41, 42, 43, 44, 45, 46, 47, 48])("leaves the middle where it was: %i rows", (rows) =>
    Effect.gen(function* () {
      const image = gradient(rows, 40, 1)
      for (const [margin, height] of [
        [4, 20],
        [12, 21],
        [8, 32]
      ] as const) {
        const alone = yield* cut(image, height, height)
        const stored = yield* cut(image, height + margin, height + margin)
        const middle = Array.from({ length: height }, (_, row) => {
          const from = (row + margin / 2) * (height + margin) + margin / 2
          return [...stored.pixels.subarray(from, from + height)]
        })
        assert.deepStrictEqual(middle.flat(), [...alone.pixels])
      }
    }).pipe(Effect.provide(codecLayer))
  )
})

describe("fitting", () => {
  it.effect("an image of the right size at the top left, nothing at the bottom and the right", () =>
    Effect.gen(function* () {
      const target: Target = { height: 4, width: 3, channels: 3, fit: "pad" }
      const image = gradient(2, 3, 3)
      const wide = yield* fitImage(image, target)
      assert.deepStrictEqual(wide.extent, { rows: 2, columns: 3 })
      assert.deepStrictEqual([...wide.pixels], [...image.pixels, ...new Array(18).fill(0)])
      const tall = yield* fitImage(gradient(3, 1, 1), { ...target, height: 3, channels: 1 })
      assert.deepStrictEqual([...tall.pixels], [1, 0, 0, 2, 0, 0, 3, 0, 0])
    }).pipe(Effect.provide(codecLayer))
  )

  it.effect("stretched, an image of one colour fills all", () =>
    Effect.gen(function* () {
      const image: RawImage = { pixels: new Uint8Array(20).fill(9), height: 2, width: 10, channels: 1 }
      const target: Target = { height: 3, width: 3, channels: 1, fit: "stretch" }
      const { extent, pixels } = yield* fitImage(image, target)
      assert.deepStrictEqual([...pixels], new Array(9).fill(9))
      assert.deepStrictEqual(extent, { rows: 3, columns: 3 })
    }).pipe(Effect.provide(codecLayer))
  )
})

describe("padding", () => {
  it("gets the rounded mean, and no pixel of an image is touched", () => {
    const images = Uint8Array.from({ length: 2 * 2 * 3 * 3 }, (_, index) => index)
    const before = images.slice()
    // The first image is whole, the second has one row of two pixels.
    const colour = paddingColour([0.5, 0, 1])
    fillPadding(images, Int32Array.of(2, 3, 1, 2), { height: 2, width: 3, channels: 3 }, colour)
    assert.deepStrictEqual(colour, [128, 0, 255])
    assert.deepStrictEqual([...images.subarray(0, 24)], [...before.subarray(0, 24)])
    assert.deepStrictEqual([...images.subarray(24)], [...colour, ...colour, ...colour, ...colour])
  })
})
