/** Against Pillow and torchvision: `test/golden/resampling/make.py`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { layer as codecLayer } from "../../../infra/images/SharpImageCodec.ts"
import type { Fit } from "../../../lib/data/Fit.ts"
import { fitImage, scaledSize } from "../../../lib/data/fit-image.ts"
import type { RawImage } from "../../../lib/data/ImageCodec.ts"
import { Resampler, resample } from "../../../lib/data/resample.ts"
import { readGolden } from "../../support/golden.ts"

interface Golden {
  readonly images: ReadonlyArray<{
    readonly height: number
    readonly width: number
    readonly channels: 1 | 3
    readonly pixels: string
    readonly cases: ReadonlyArray<{
      readonly fit: Exclude<Fit, string>
      readonly resized: readonly [height: number, width: number]
      readonly height: number
      readonly width: number
      readonly pixels: string
    }>
  }>
}

const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"))
const golden = readGolden<Golden>("resampling")
const cases = golden.images.flatMap((image, index) =>
  image.cases.map((one) => {
    const { resampler, shorterSide } = one.fit
    const name = `image ${index + 1}, ${shorterSide} then ${one.height} × ${one.width}, ${resampler}`
    return { name, image: { ...image, pixels: bytesOf(image.pixels) } as RawImage, ...one }
  })
)

describe("an image scaled and cut as torchvision does it", () => {
  it("is checked in enough ways", () => assert.isAbove(cases.length, 12))

  it.effect.each(cases.map((one) => [one.name, one] as const))("has its very pixels: %s", ([, one]) =>
    Effect.gen(function* () {
      const { fit, height, image, width } = one
      const scaled = scaledSize(image, fit.shorterSide)
      assert.deepStrictEqual([scaled.height, scaled.width], [...one.resized])
      const { channels } = image
      const { extent, pixels } = yield* fitImage(image, { height, width, channels, fit })
      assert.deepStrictEqual(pixels, bytesOf(one.pixels))
      assert.deepStrictEqual(extent, { rows: height, columns: width })
    }).pipe(Effect.provide(codecLayer))
  )
})

const side = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 }))
const whole = (length: number) => ({ begin: 0, length })

describe("resampling", () => {
  it.prop(
    "keeps an image of one colour, and gives a part of what it gives whole",
    { height: side, width: side, rows: side, columns: side, resampler: Resampler },
    ({ columns, height, resampler, rows, width }) => {
      const even: RawImage = {
        pixels: new Uint8Array(height * width * 3).fill(201),
        height,
        width,
        channels: 3
      }
      const size = { resampler, height: rows, width: columns }
      const resized = resample(even, { ...size, rows: whole(rows), columns: whole(columns) })
      assert.deepStrictEqual(resized.pixels, new Uint8Array(rows * columns * 3).fill(201))

      const pixels = Uint8Array.from({ length: height * width }, (_, at) => (at * at * 31 + 7 * at) % 256)
      const image: RawImage = { pixels, height, width, channels: 1 }
      const all = resample(image, { ...size, rows: whole(rows), columns: whole(columns) })
      const part = { begin: Math.floor(rows / 3), length: Math.ceil(rows / 3) }
      const strip = resample(image, { ...size, rows: part, columns: whole(columns) })
      assert.deepStrictEqual(
        strip.pixels,
        all.pixels.slice(part.begin * columns, (part.begin + part.length) * columns)
      )
    }
  )
})
