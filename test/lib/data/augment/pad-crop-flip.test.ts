import { assert, describe, it } from "@effect/vitest"
import { type Normalization, normalizationTable } from "../../../../lib/data/augment/normalization.ts"
import { type CropFlip, writeCropFlip } from "../../../../lib/data/augment/pad-crop-flip.ts"

const identity: Normalization = { mean: [0], std: [1 / 255] }

const cropped = (
  pixels: ReadonlyArray<number>,
  height: number,
  width: number,
  pad: number,
  crop: CropFlip
) => {
  const output = new Float32Array(height * width + 2).fill(-1)
  writeCropFlip({
    output,
    to: 1,
    pixels: Uint8Array.from([99, ...pixels]),
    from: 1,
    size: { height, width, channels: 1 },
    frame: { height, width },
    pad,
    crop,
    table: normalizationTable(identity)
  })
  // What lies before and after the image's place is nobody's.
  assert.deepStrictEqual([output[0], output[output.length - 1]], [-1, -1])
  return [...output.subarray(1, -1)].map(Math.round)
}

const image = [1, 2, 3, 4, 5, 6]

describe("writeCropFlip", () => {
  it("leaves the image as it is in the middle of its padding", () =>
    assert.deepStrictEqual(cropped(image, 2, 3, 1, { top: 1, left: 1, flip: false }), image))

  it("mirrors columns", () =>
    assert.deepStrictEqual(cropped(image, 2, 3, 1, { top: 1, left: 1, flip: true }), [3, 2, 1, 6, 5, 4]))

  it("takes the padding at the top left", () =>
    assert.deepStrictEqual(cropped(image, 2, 3, 1, { top: 0, left: 0, flip: false }), [0, 0, 0, 0, 1, 2]))

  it("takes the padding at the bottom right, then mirrors", () =>
    assert.deepStrictEqual(cropped(image, 2, 3, 1, { top: 2, left: 2, flip: true }), [0, 6, 5, 0, 0, 0]))

  it("sees nothing but padding when it moves further than the image is wide", () =>
    assert.deepStrictEqual(cropped(image, 2, 3, 4, { top: 0, left: 8, flip: false }), [0, 0, 0, 0, 0, 0]))

  it("pads with the mean colour: 0 after normalisation, each channel by its own mean", () => {
    const output = new Float32Array(4)
    writeCropFlip({
      output,
      to: 0,
      pixels: Uint8Array.of(255, 0, 51, 102),
      from: 0,
      size: { height: 1, width: 2, channels: 2 },
      frame: { height: 1, width: 2 },
      pad: 1,
      crop: { top: 1, left: 2, flip: false },
      table: normalizationTable({ mean: [0.2, 0.5], std: [0.5, 0.1] })
    })
    // The second pixel (51, 102): (0.2 - 0.2) / 0.5 and (0.4 - 0.5) / 0.1; then padding.
    assert.deepStrictEqual(
      [...output],
      [0, Math.fround(-1), 0, 0].map((value) => value)
    )
  })
})
