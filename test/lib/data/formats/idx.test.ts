import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeIdxImages, decodeIdxLabels } from "../../../../lib/data/formats/idx.ts"

const bigEndian = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
const idx = (dims: ReadonlyArray<number>, values: ReadonlyArray<number>, magic = 0x0800 + dims.length) =>
  Uint8Array.from([...bigEndian(magic), ...dims.flatMap(bigEndian), ...values])

const reasonOf = (result: Result.Result<unknown, { readonly message: string }>) =>
  Result.isFailure(result) ? result.failure.message : "accepted"

describe("IDX", () => {
  it("reads images and labels", () => {
    const images = Result.getOrThrow(decodeIdxImages("i", idx([2, 1, 2], [1, 2, 3, 4])))
    assert.deepStrictEqual(
      { ...images, pixels: [...images.pixels] },
      {
        count: 2,
        height: 1,
        width: 2,
        pixels: [1, 2, 3, 4]
      }
    )
    assert.deepStrictEqual([...Result.getOrThrow(decodeIdxLabels("l", idx([3], [0, 9, 1]), 10))], [0, 9, 1])
  })

  it.each([
    [
      "a header that promises more",
      idx([3, 1, 2], [1, 2, 3, 4]),
      "promises 3 × 1 × 2 = 6 values, but 4 follow"
    ],
    [
      "a header that promises less",
      idx([1, 1, 2], [1, 2, 3, 4]),
      "promises 1 × 1 × 2 = 2 values, but 4 follow"
    ],
    ["sizes whose product is huge", idx([0xffffffff, 0xffffffff, 0xffffffff], [1]), "but 1 follow"],
    ["labels instead of images", idx([4], [1, 2, 3, 4]), "16"],
    ["another magic number", idx([1, 1, 1], [1], 0x0d03), "magic number is 0x00000d03, expected 0x00000803"],
    ["a truncated header", idx([1, 1, 1], [1]).subarray(0, 9), "it has 9 bytes, its header alone needs 16"],
    ["no bytes", new Uint8Array(), "it has 0 bytes"],
    ["images without pixels", idx([4, 0, 28], []), "0 × 28 pixels"]
  ])("refuses %s", (_, bytes, reason) => {
    const message = reasonOf(decodeIdxImages("train-images", bytes))
    assert.include(message, reason)
    assert.include(message, "train-images")
  })

  it("refuses a label that is no class", () =>
    assert.include(
      reasonOf(decodeIdxLabels("l", idx([3], [0, 10, 1]), 10)),
      "label 1 is 10, but there are 10 classes"
    ))
})
