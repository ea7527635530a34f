import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { decodeNetpbm, encodeNetpbm } from "../../../../lib/data/formats/netpbm.ts"

const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
const side = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))

describe("PGM and PPM", () => {
  it.prop(
    "what is encoded is decoded",
    { height: side, width: side, channels: Schema.Literals([1, 3]), start: Schema.Int },
    ({ height, width, channels, start }) => {
      const pixels = Uint8Array.from({ length: height * width * channels }, (_, index) => start + 37 * index)
      const image = { pixels, height, width, channels }
      assert.deepStrictEqual(Result.getOrThrow(decodeNetpbm("x", encodeNetpbm(image))), image)
    }
  )

  it("reads comments and any white space", () => {
    const image = Result.getOrThrow(decodeNetpbm("x", ascii("P5 # made by hand\n# two\n2\t1\r\n255\nAB")))
    assert.deepStrictEqual(
      { ...image, pixels: [...image.pixels] },
      {
        pixels: [65, 66],
        height: 1,
        width: 2,
        channels: 1
      }
    )
  })

  it.each([
    ["P5\n2 1\n255\nA", "needs 2 bytes, 1 follow"],
    ["P5\n2 1\n255\nABC", "needs 2 bytes, 3 follow"],
    ["P5\n2 1\n65535\nABCD", "maximum is 65535"],
    ["P5\n0 1\n255\n", "no width and height"],
    ["P5\nx", "no width and height"],
    ["P2\n1 1\n255\n7", "neither P5 nor P6"],
    ["P6\n2 2\n255", "needs 12 bytes, 0 follow"]
  ])("refuses %j", (text, reason) => {
    const result = decodeNetpbm("x.pgm", ascii(text))
    assert.include(Result.isFailure(result) ? result.failure.message : "accepted", reason)
  })
})
