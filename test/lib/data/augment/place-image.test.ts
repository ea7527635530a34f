import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { normalizationTable, normalizeInto } from "../../../../lib/data/augment/normalization.ts"
import { writePlaced } from "../../../../lib/data/augment/place-image.ts"
import type { Placement } from "../../../../lib/data/augment/placement.ts"
import { RandomStream } from "../../../../lib/tensor/random.ts"
import { readGolden } from "../../../support/golden.ts"

const unchanged = { brightness: 1, contrast: 1, saturation: 1 }
const whole = { flip: false, flipVertical: false, scale: 1, top: 0, left: 0 }
/** Pixels as they are, and 0 for padding. */
const asPixels = { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] }
const size = { height: 5, width: 7, channels: 3 }
const pixelsPerImage = 5 * 7 * 3
const noise = (seed: number, length = pixelsPerImage) => {
  const random = RandomStream.make(seed)
  return Uint8Array.from({ length }, () => random.below(256))
}

interface Case extends Partial<Omit<Parameters<typeof writePlaced>[0], "placement">> {
  readonly pixels: Uint8Array
  readonly placement?: Partial<Placement>
}

const placed = ({ placement, ...options }: Case): Float32Array => {
  const extent = options.size ?? size
  const { channels, height, width } = extent
  const output = new Float32Array(height * width * channels + 2).fill(-999)
  writePlaced({
    output,
    to: 1,
    from: 0,
    size: extent,
    placement: { rows: height, columns: width, ...whole, ...placement },
    colour: unchanged,
    table: normalizationTable(asPixels),
    ...options
  })
  // What lies before and after the image's place is nobody's.
  assert.deepStrictEqual([output[0], output[output.length - 1]], [-999, -999])
  return output.slice(1, -1)
}

const Seed = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 }))

describe("an image in place", () => {
  it.prop("is the plain normalisation bit for bit, its padding too", { seed: Seed }, ({ seed }) => {
    const table = normalizationTable({ mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] })
    const pixels = noise(seed, 2 * pixelsPerImage)
    const expected = new Float32Array(pixelsPerImage)
    normalizeInto(expected, pixels, pixelsPerImage, 3, table)
    for (const placement of [{}, { rows: 3, columns: 4 }]) {
      assert.deepStrictEqual(placed({ pixels, from: pixelsPerImage, placement, table }), expected)
    }
  })

  it.prop("is itself when mirrored twice", { seed: Seed }, ({ seed }) => {
    const pixels = noise(seed)
    for (const placement of [
      { flip: true },
      { flipVertical: true },
      { flip: true, flipVertical: true },
      { flip: true, flipVertical: true, rows: 3, columns: 4 }
    ]) {
      const once = Uint8Array.from(placed({ pixels, placement }), Math.round)
      assert.notDeepEqual(once, pixels)
      const twice = placed({ pixels: once, placement })
      assert.deepStrictEqual(Uint8Array.from(twice, Math.round), pixels)
    }
  })

  it("is mirrored within itself, its padding left where it is", () => {
    const output = placed({
      pixels: Uint8Array.of(1, 2, 3, 90, 4, 5, 6, 91, 92, 93, 94, 95),
      size: { height: 3, width: 4, channels: 1 },
      placement: { rows: 2, columns: 3, flip: true, flipVertical: true }
    })
    assert.deepStrictEqual([...output].map(Math.round), [6, 5, 4, 90, 3, 2, 1, 91, 92, 93, 94, 95])
  })
})

interface Golden {
  readonly height: number
  readonly width: number
  readonly pixels: ReadonlyArray<number>
  readonly cases: ReadonlyArray<{
    readonly placement: Omit<Placement, "rows" | "columns">
    readonly values: ReadonlyArray<number>
  }>
}

describe("an image resampled", () => {
  const golden = readGolden<Golden>("placement")

  it.each(golden.cases)("is what Pillow makes of it: $placement", ({ placement, values }) => {
    const { height, pixels, width } = golden
    const output = placed({
      pixels: Uint8Array.from(pixels),
      size: { height, width, channels: 1 },
      placement
    })
    values.forEach((value, index) => {
      assert.approximately(output[index]!, value, 0.002, `value ${index}`)
    })
  })

  it("keeps channels apart and normalises each by its own, padding 0 after normalisation", () => {
    const normalization = { mean: [0.2, 0.5, 0.1], std: [0.5, 0.1, 2] }
    const pixels = Uint8Array.from({ length: pixelsPerImage }, (_, index) => [10, 100, 250][index % 3]!)
    const output = placed({
      pixels,
      placement: { scale: 0.6, top: 1, left: 1.5 },
      table: normalizationTable(normalization)
    })
    const colour = [10, 100, 250].map(
      (pixel, channel) => (pixel / 255 - normalization.mean[channel]!) / normalization.std[channel]!
    )
    for (let row = 0; row < 5; row++) {
      for (let column = 0; column < 7; column++) {
        const isImage = row >= 1 && row + 0.5 < 4 && column >= 1 && column + 0.5 < 5.7
        for (let channel = 0; channel < 3; channel++) {
          const value = output[(row * 7 + column) * 3 + channel]!
          if (isImage) assert.approximately(value, colour[channel]!, 1e-5)
          else assert.strictEqual(value, 0)
        }
      }
    }
  })

  it("takes nothing from its source's padding", () => {
    const pixels = Uint8Array.from({ length: 12 }, (_, index) => (index % 4 < 2 && index < 8 ? 50 : 255))
    const output = placed({
      pixels,
      size: { height: 3, width: 4, channels: 1 },
      placement: { rows: 2, columns: 2, scale: 1.3, top: 0.2, left: 0.2, flip: true }
    })
    assert.deepStrictEqual([...output].map(Math.round), [50, 50, 50, 0, 50, 50, 50, 0, 50, 50, 50, 0])
  })

  it("is nothing but padding where it lies outside of its frame", () => {
    const output = placed({ pixels: noise(1), placement: { left: 7 } })
    assert.isTrue(output.every((value) => value === 0))
  })
})

describe("colours", () => {
  const grey = (image: ArrayLike<number>, at: number) =>
    0.299 * image[at]! + 0.587 * image[at + 1]! + 0.114 * image[at + 2]!
  const pixels = noise(5)
  const expectAll = (output: Float32Array, expected: (pixel: number, index: number) => number) =>
    pixels.forEach((pixel, index) => {
      const value = Math.min(255, Math.max(0, expected(pixel, index)))
      assert.approximately(output[index]!, value, 0.01, `value ${index}`)
    })

  it("brightness multiplies", () =>
    expectAll(placed({ pixels, colour: { ...unchanged, brightness: 1.3 } }), (pixel) => 1.3 * pixel))

  it("contrast turns about the image's mean grey", () => {
    let sum = 0
    for (let at = 0; at < pixelsPerImage; at += 3) sum += grey(pixels, at)
    const mean = sum / 35
    expectAll(
      placed({ pixels, colour: { ...unchanged, contrast: 0.6 } }),
      (pixel) => mean + 0.6 * (pixel - mean)
    )
  })

  it("saturation turns about the pixel's own grey; none is left at 0", () => {
    const expected = (factor: number) => (pixel: number, index: number) => {
      const own = grey(pixels, index - (index % 3))
      return own + factor * (pixel - own)
    }
    expectAll(placed({ pixels, colour: { ...unchanged, saturation: 1.4 } }), expected(1.4))
    expectAll(placed({ pixels, colour: { ...unchanged, saturation: 0 } }), expected(0))
  })

  it("all three act one after the other", () => {
    const colour = { brightness: 0.8, contrast: 0.7, saturation: 0.5 }
    const brighter = Float64Array.from(pixels, (pixel) => 0.8 * pixel)
    let sum = 0
    for (let at = 0; at < pixelsPerImage; at += 3) sum += grey(brighter, at)
    const flatter = brighter.map((value) => sum / 35 + 0.7 * (value - sum / 35))
    expectAll(placed({ pixels, colour }), (_, index) => {
      const own = grey(flatter, index - (index % 3))
      return own + 0.5 * (flatter[index]! - own)
    })
  })

  it("are of a grey image, too; padding keeps out of it", () => {
    const output = placed({
      pixels: Uint8Array.of(100, 200, 255),
      size: { height: 1, width: 3, channels: 1 },
      placement: { columns: 2 },
      colour: { brightness: 1, contrast: 0.5, saturation: 0.3 }
    })
    assert.deepStrictEqual([...output].map(Math.round), [125, 175, 0])
  })
})
