/**
 * What every `ImageCodec` must do: `suite(name, layer)`. Files are made by `images`, a writer the suite
 * trusts.
 */
import { assert, it, type Vitest } from "@effect/vitest"
import { Effect, type Layer } from "effect"
import { encodeNetpbm } from "../../lib/data/formats/netpbm.ts"
import { ImageCodec, imagePixelsMax, type RawImage } from "../../lib/data/ImageCodec.ts"
import { encodeIndexPng, encodeOnes } from "../support/indexPng.ts"

/**
 * Files in formats that a codec must read; each shows `red` on its left and `blue` on its right half, 8 ×
 * 16.
 */
export interface ImageFiles {
  readonly png: Uint8Array
  readonly png16: Uint8Array
  readonly pngAlpha: Uint8Array
  readonly pngPalette: Uint8Array
  readonly webp: Uint8Array
  readonly jpeg: Uint8Array
  /** Stored turned by 90°, with an EXIF note that says so. */
  readonly jpegTurned: Uint8Array
  readonly jpegCmyk: Uint8Array
  /** A grey JPEG of value 100. */
  readonly jpegGrey: Uint8Array
  readonly svg: Uint8Array
}

const red = [200, 30, 40]
const blue = [20, 60, 220]

const pixelAt = ({ pixels, width, channels }: RawImage, y: number, x: number) => [
  ...pixels.subarray((y * width + x) * channels, (y * width + x + 1) * channels)
]

const assertNear = (found: ReadonlyArray<number>, expected: ReadonlyArray<number>, tolerance: number) => {
  assert.strictEqual(found.length, expected.length)
  expected.forEach((value, index) => {
    assert.closeTo(found[index]!, value, tolerance)
  })
}

/** Lossy kinds are compared away from the edge between the colours. */
const kinds = [
  ["png", 0],
  ["png16", 1],
  ["pngAlpha", 0],
  ["pngPalette", 0],
  ["webp", 12],
  ["jpeg", 6],
  ["jpegTurned", 6],
  // Ink and light are different spaces: near enough to know the colour by.
  ["jpegCmyk", 80]
] as const

const gradient: RawImage = {
  pixels: Uint8Array.from({ length: 8 * 8 }, (_, index) => 30 * (index % 8)),
  height: 8,
  width: 8,
  channels: 1
}

type Methods = Vitest.MethodsNonLive<ImageCodec>
type FileOf = (kind: keyof ImageFiles) => Effect.Effect<Uint8Array>

const codec = Effect.map(ImageCodec, (service) => service)

const decoding = (it: Methods, file: FileOf): void => {
  it.effect.each(kinds)("decodes %s to 8-bit RGB, upright, without alpha", ([kind, tolerance]) =>
    Effect.gen(function* () {
      const image = yield* (yield* codec).decode(kind, yield* file(kind), 3)
      assert.deepStrictEqual([image.height, image.width, image.channels], [8, 16, 3])
      assertNear(pixelAt(image, 4, 2), red, tolerance)
      assertNear(pixelAt(image, 4, 13), blue, tolerance)
    })
  )

  it.effect("turns colour into grey by luma, and grey into equal channels", () =>
    Effect.gen(function* () {
      const { decode } = yield* codec
      // 0.299 · 200 + 0.587 · 30 + 0.114 · 40 = 81.97
      assert.deepStrictEqual(pixelAt(yield* decode("png", yield* file("png"), 1), 0, 0), [82])
      const grey = yield* decode("grey", yield* file("jpegGrey"), 3)
      assertNear(pixelAt(grey, 3, 3), [100, 100, 100], 2)
      assert.strictEqual((yield* decode("grey", yield* file("jpegGrey"), 1)).channels, 1)
    })
  )

  it.effect("PGM passes unchanged", () =>
    Effect.gen(function* () {
      const { decode } = yield* codec
      assert.deepStrictEqual(yield* decode("x.pgm", encodeNetpbm(gradient), 1), gradient)
      assert.deepStrictEqual(pixelAt(yield* decode("x.pgm", encodeNetpbm(gradient), 3), 0, 2), [60, 60, 60])
    })
  )
}

const writingAndResizing = (it: Methods, file: FileOf): void => {
  it.effect("PNG of grey and colour comes back to the bit", () =>
    Effect.gen(function* () {
      const { decode, encodePng } = yield* codec
      assert.deepStrictEqual(yield* decode("g", yield* encodePng(gradient), 1), gradient)
      const image = yield* decode("png", yield* file("png"), 3)
      assert.deepStrictEqual(yield* decode("c", yield* encodePng(image), 3), image)
      assert.deepStrictEqual(yield* encodePng(image), yield* encodePng(image))
    })
  )

  it.effect("resizes to exactly what is asked, averaging when it shrinks", () =>
    Effect.gen(function* () {
      const { resize } = yield* codec
      const small = yield* resize(gradient, 2, 4)
      assert.deepStrictEqual([small.height, small.width, small.channels, small.pixels.length], [2, 4, 1, 8])
      // Columns 2 and 3 (60, 90) are seen by output column 1, which lies between them.
      assertNear(pixelAt(small, 0, 1), [75], 3)
      const stripes = {
        ...gradient,
        pixels: gradient.pixels.map((_, index) => (index % 2 === 0 ? 0 : 240))
      }
      // A resizer without antialiasing would pick one stripe and return 0 or 240.
      assertNear([...(yield* resize(stripes, 2, 2)).pixels], [120, 120, 120, 120], 40)
      assert.strictEqual(yield* resize(gradient, 8, 8), gradient)
      const large = yield* resize(gradient, 16, 32)
      assert.strictEqual(large.pixels.length, 16 * 32)
    })
  )
}

const indices: RawImage = {
  pixels: Uint8Array.from({ length: 3 * 5 }, (_, index) => index),
  height: 3,
  width: 5,
  channels: 1
}

const readingIndices = (it: Methods, file: FileOf): void => {
  it.effect("gives indices as they stand in a palette PNG, a grey PNG of few bits, and a PGM", () =>
    Effect.gen(function* () {
      const { decode, decodeIndices } = yield* codec
      const { height, width } = indices
      const expected = { indices: indices.pixels, height, width }
      const png = { height, width, depth: 4, indices: indices.pixels } as const
      const palette = Uint8Array.from({ length: 3 * 16 }, (_, index) => 255 - index)
      assert.deepStrictEqual(yield* decodeIndices("m.png", encodeIndexPng({ ...png, palette })), expected)
      assert.deepStrictEqual(yield* decodeIndices("m.png", encodeIndexPng(png)), expected)
      assert.deepStrictEqual(yield* decodeIndices("m.pgm", encodeNetpbm(indices)), expected)
      // As an image the same file is scaled: 3 of 15 is 51 of 255.
      assert.deepStrictEqual(pixelAt(yield* decode("m.png", encodeIndexPng(png), 1), 0, 3), [51])
    })
  )

  it.effect("refuses indices from files that hold colours, and names the file", () =>
    Effect.gen(function* () {
      const { decodeIndices } = yield* codec
      const ppm = encodeNetpbm({ pixels: new Uint8Array(3), height: 1, width: 1, channels: 3 })
      const files: ReadonlyArray<readonly [string, Uint8Array, string]> = [
        ["empty.png", new Uint8Array(), "it is empty"],
        ["rgb.png", yield* file("png"), "it is RGB"],
        ["deep.png", yield* file("png16"), "it is RGB"],
        ["mask.jpg", yield* file("jpeg"), "it is jpeg, which keeps no indices"],
        ["mask.webp", yield* file("webp"), "it is webp"],
        ["mask.ppm", ppm, "it holds colours"],
        [
          "cut.png",
          encodeIndexPng({ height: 9, width: 9, depth: 8, indices: new Uint8Array(81) }).subarray(0, 50),
          "truncated"
        ],
        ["cut.pgm", encodeNetpbm(indices).subarray(0, 20), "needs 15 bytes"]
      ]
      for (const [name, bytes, reason] of files) {
        const error = yield* Effect.flip(decodeIndices(name, bytes))
        assert.strictEqual(error._tag, "ImageUnreadable")
        assert.strictEqual(error.image, name)
        assert.include(error.reason, reason)
      }
    })
  )
}

/** The same JPEG, its header (SOF0, ITU-T T.81 B.2.2) claiming another size. */
const claiming = (jpeg: Uint8Array, height: number, width: number): Uint8Array => {
  const bytes = Buffer.from(jpeg)
  const at = bytes.indexOf(Uint8Array.of(0xff, 0xc0))
  bytes.writeUInt16BE(height, at + 5)
  bytes.writeUInt16BE(width, at + 7)
  return new Uint8Array(bytes)
}

const limiting = (it: Methods, file: FileOf): void => {
  it.effect("refuses more than 64 megapixels in every format, at once and saying the size", () =>
    Effect.gen(function* () {
      const { decode, decodeIndices } = yield* codec
      const side = 10_000
      // One bit a pixel: a hundred million of them, whole, in a small file.
      const png = encodeOnes(side, side)
      const pgm = encodeNetpbm({
        pixels: new Uint8Array(side * side),
        height: side,
        width: side,
        channels: 1
      })
      const jpeg = claiming(yield* file("jpeg"), side, side)
      const start = performance.now()
      const peak = process.resourceUsage().maxRSS
      const errors = [
        yield* Effect.flip(decode("huge.png", png, 3)),
        yield* Effect.flip(decode("huge.jpg", jpeg, 3)),
        yield* Effect.flip(decode("huge.pgm", pgm, 3)),
        yield* Effect.flip(decodeIndices("huge.png", png)),
        yield* Effect.flip(decodeIndices("huge.pgm", pgm))
      ]
      assert.isBelow(performance.now() - start, 3000)
      // In KiB; a single decoded one would be 100 or 300 MB.
      assert.isBelow(process.resourceUsage().maxRSS - peak, 50_000)
      for (const { message } of errors) {
        assert.include(
          message,
          "it has 10000 × 10000 pixels (100 megapixels), at most 64 megapixels are read"
        )
        assert.include(message, "shrink it or cut it into pieces")
      }
    })
  )

  it.effect("decodes what is exactly at the limit", () =>
    Effect.gen(function* () {
      const side = 8000
      assert.strictEqual(side * side, imagePixelsMax)
      const png = encodeOnes(side, side)
      assert.strictEqual((yield* (yield* codec).decodeIndices("m.png", png)).indices.at(-1), 1)
      const image = yield* (yield* codec).decode("m.png", png, 1)
      assert.deepStrictEqual([image.height, image.width, image.pixels.at(-1)], [side, side, 255])
    })
  )
}

const refusing = (it: Methods, file: FileOf): void => {
  it.effect("names the image and the reason where it cannot be read", () =>
    Effect.gen(function* () {
      const { decode } = yield* codec
      const jpeg = yield* file("jpeg")
      const broken: ReadonlyArray<readonly [string, Uint8Array, string]> = [
        ["empty.jpg", new Uint8Array(), "it is empty"],
        ["text.jpg", new TextEncoder().encode("hello"), "neither JPEG, PNG"],
        ["drawing.png", yield* file("svg"), "neither JPEG, PNG"],
        ["cut.jpg", jpeg.subarray(0, jpeg.length / 2), ""],
        ["cut.png", (yield* file("png")).subarray(0, 60), ""],
        ["cut.pgm", encodeNetpbm(gradient).subarray(0, 40), "needs 64 bytes"]
      ]
      for (const [name, bytes, reason] of broken) {
        const error = yield* Effect.flip(decode(name, bytes, 3))
        assert.strictEqual(error._tag, "ImageUnreadable")
        assert.strictEqual(error.image, name)
        assert.include(error.reason, reason)
      }
    })
  )
}

export const suite = (name: string, layer: Layer.Layer<ImageCodec>, files: Promise<ImageFiles>): void =>
  it.layer(layer)(`ImageCodec (${name})`, (it) => {
    const file: FileOf = (kind) => Effect.promise(() => files.then((made) => made[kind]))
    decoding(it, file)
    writingAndResizing(it, file)
    readingIndices(it, file)
    limiting(it, file)
    refusing(it, file)
  })
