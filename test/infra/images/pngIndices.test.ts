import { deflateSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import sharp from "sharp"
import { decodePngIndices } from "../../../infra/images/pngIndices.ts"
import { encodeIndexPng, joinBytes, pngChunk, pngHeader, pngOf } from "../../support/indexPng.ts"

const side = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 33 }))
const seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 }))
const depth = Schema.Literals([1, 2, 4, 8])

/** Values of a linear congruential generator (Numerical Recipes), its high bits: no filter foresees them. */
const values = (count: number, limit: number, start: number): Uint8Array => {
  let state = start
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  })
}

const decode = (bytes: Uint8Array) => Effect.promise(() => decodePngIndices(bytes))
const decoded = (bytes: Uint8Array) => Effect.map(decode(bytes), Result.getOrThrow)
const reason = (bytes: Uint8Array) =>
  Effect.map(decode(bytes), (result) => (Result.isFailure(result) ? result.failure : "accepted"))

const rgbBySharp = (bytes: Uint8Array) =>
  Effect.promise(() => sharp(bytes).removeAlpha().toColourspace("srgb").raw().toBuffer())

/** The colours `[H, W, 3]` that indices stand for. */
const lookUp = (indices: Uint8Array, palette: Uint8Array): ReadonlyArray<number> =>
  Array.from(indices, (index) => [...palette.subarray(3 * index, 3 * index + 3)]).flat()

/** The palette's data, wherever its chunk stands. */
const paletteOf = (bytes: Uint8Array): Uint8Array => {
  const buffer = Buffer.from(bytes)
  const at = buffer.indexOf("PLTE")
  return bytes.subarray(at + 4, at + 4 + buffer.readUInt32BE(at - 4))
}

describe("values of any depth", () => {
  it.effect.prop(
    "come back as they were written, and sharp sees the colours they stand for",
    { height: side, width: side, depth, seed },
    ({ depth, height, seed, width }) =>
      Effect.gen(function* () {
        const indices = values(height * width, 2 ** depth, seed)
        const palette = values(3 * 2 ** depth, 256, seed + 1)
        const filters = [...values(height, 5, seed + 2)]
        const bytes = encodeIndexPng({ height, width, depth, indices, palette, filters, pieceBytes: 50 })
        assert.deepStrictEqual(yield* decoded(bytes), { indices, height, width })
        assert.deepStrictEqual([...(yield* rgbBySharp(bytes))], lookUp(indices, palette))
        const grey = encodeIndexPng({ height, width, depth, indices, filters })
        assert.deepStrictEqual(yield* decoded(grey), { indices, height, width })
      }),
    { arbitrary: { runs: 60 } }
  )

  it.effect.prop(
    "of a palette that sharp wrote, with its own filters and order, are those of its colours",
    { height: side, width: side, colours: Schema.Literals([2, 3, 7, 16, 60]), seed },
    ({ colours, height, seed, width }) =>
      Effect.gen(function* () {
        const palette = values(3 * colours, 256, seed)
        const rgb = Uint8Array.from(lookUp(values(height * width, colours, seed + 1), palette))
        const bytes = yield* Effect.promise(() =>
          sharp(rgb, { raw: { height, width, channels: 3 } })
            .png({ palette: true, dither: 0, adaptiveFiltering: true })
            .toBuffer()
        )
        const image = yield* decoded(bytes)
        assert.deepStrictEqual([image.height, image.width], [height, width])
        assert.deepStrictEqual(lookUp(image.indices, paletteOf(bytes)), [...(yield* rgbBySharp(bytes))])
      }),
    { arbitrary: { runs: 40 } }
  )
})

const small = { height: 2, width: 3, depth: 8, indices: Uint8Array.of(0, 1, 2, 3, 4, 255) } as const
const png = encodeIndexPng(small)
const rows = Uint8Array.of(0, 1, 2, 3, 0, 4, 5, 6)
const dataOf = (raw: Uint8Array) => pngChunk("IDAT", deflateSync(raw))
const withByte = (at: number, value: number) => png.map((byte, index) => (index === at ? value : byte))

describe("what is refused, and why", () => {
  it.effect.each([
    [
      "RGB",
      pngOf(pngHeader(2, 1, 8, 2), dataOf(rows)),
      "it is RGB, and colours are no indices: save the class"
    ],
    ["RGBA", pngOf(pngHeader(2, 1, 8, 6), dataOf(rows)), "RGB with transparency"],
    ["grey with alpha", pngOf(pngHeader(2, 1, 8, 4), dataOf(rows)), "grey with transparency"],
    ["an unknown colour type", pngOf(pngHeader(2, 3, 8, 9), dataOf(rows)), "unknown colour type 9"],
    ["16 bits", pngOf(pngHeader(2, 3, 16, 0), dataOf(rows)), "its values have 16 bits"],
    ["3 bits", pngOf(pngHeader(2, 3, 3, 0), dataOf(rows)), "3 bits a value"],
    ["interlacing", pngOf(pngHeader(2, 3, 8, 0, 1), dataOf(rows)), "it is interlaced"],
    ["no pixels", pngOf(pngHeader(0, 3, 8, 0), dataOf(rows)), "3 × 0 pixels"],
    ["no header", pngOf(dataOf(rows)), "does not begin with a header"],
    ["no image data", pngOf(pngHeader(2, 3, 8, 0)), "no image data"],
    ["no palette", pngOf(pngHeader(2, 3, 8, 3), dataOf(rows)), "palette (PLTE) is missing"],
    ["an unknown critical chunk", pngOf(pngHeader(2, 3, 8, 0), pngChunk("ABCD", rows), dataOf(rows)), "ABCD"],
    [
      "an unknown filter",
      pngOf(pngHeader(2, 3, 8, 0), dataOf(rows.with(4, 5))),
      "row 1 has the unknown filter 5"
    ],
    ["too few rows", pngOf(pngHeader(3, 3, 8, 0), dataOf(rows)), "are 8 bytes, its header promises 12"],
    ["too many rows", pngOf(pngHeader(1, 3, 8, 0), dataOf(rows)), "more than the 4 bytes"],
    ["no zlib", pngOf(pngHeader(2, 3, 8, 0), pngChunk("IDAT", rows)), "image data are damaged"],
    [
      "cut zlib",
      pngOf(pngHeader(2, 3, 8, 0), pngChunk("IDAT", deflateSync(rows).subarray(0, 9))),
      "truncated"
    ],
    ["a wrong header checksum", withByte(20, 9), "checksum of its chunk IHDR"],
    ["a wrong data checksum", withByte(45, 1), "checksum of its chunk IDAT"]
  ] as const)("%s", ([, bytes, expected]) =>
    Effect.map(reason(bytes), (found) => assert.include(found, expected))
  )

  it.effect("every file that ends too early", () =>
    Effect.gen(function* () {
      for (let length = 8; length < png.length; length++) {
        assert.include(yield* reason(png.subarray(0, length)), "truncated", `${length} bytes`)
      }
      assert.deepStrictEqual((yield* decoded(png)).indices, small.indices)
    })
  )

  it.effect("a header of too many pixels, before anything is decompressed", () =>
    Effect.gen(function* () {
      const claim = (height: number, width: number, bits: number) =>
        reason(pngOf(pngHeader(height, width, bits, 0), pngChunk("IDAT", new Uint8Array(9))))
      const tooMany = "it has 10000 × 10000 pixels (100 megapixels), at most 64 megapixels are read: shrink"
      assert.include(yield* claim(10_000, 10_000, 8), tooMany)
      assert.include(yield* claim(10_000, 10_000, 1), tooMany)
      assert.include(yield* claim(2 ** 32 - 1, 2 ** 32 - 1, 8), "at most 64 megapixels")
      assert.include(yield* claim(8000, 8000, 8), "damaged")
    })
  )

  it.effect("a small file that would fill the memory, without decompressing it all", () =>
    Effect.gen(function* () {
      const bomb = pngOf(pngHeader(2, 3, 8, 0), dataOf(new Uint8Array(2 ** 26)))
      const start = performance.now()
      assert.include(yield* reason(bomb), "more than the 8 bytes that its header promises")
      assert.isBelow(performance.now() - start, 200)
    })
  )
})

it.effect("chunks that do not matter are passed over, damaged ones too", () =>
  Effect.gen(function* () {
    const text = pngChunk("tEXt", new Uint8Array(5))
    const damaged = text.with(text.length - 1, text.at(-1)! ^ 1)
    const body = png.subarray(33)
    const image = yield* decoded(joinBytes(png.subarray(0, 33), damaged, body))
    assert.deepStrictEqual(image.indices, small.indices)
  })
)
