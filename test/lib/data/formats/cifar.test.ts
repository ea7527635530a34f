import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { decodeCifarBatch } from "../../../../lib/data/formats/cifar.ts"

/** An image whose planes are of one value each. */
const record = (label: number, colour: readonly [number, number, number]) => [
  label,
  ...colour.flatMap((value) => new Array<number>(1024).fill(value))
]

const reasonOf = (result: Result.Result<unknown, { readonly message: string }>) =>
  Result.isFailure(result) ? result.failure.message : "accepted"

describe("CIFAR batches", () => {
  it("give images, channels last, and labels", () => {
    const bytes = Uint8Array.from([...record(3, [1, 2, 3]), ...record(0, [4, 5, 6])])
    bytes[1 + 1024 + 33] = 77
    const { count, image, label } = Result.getOrThrow(decodeCifarBatch("b", bytes, 10))
    assert.deepStrictEqual([count, label(0), label(1)], [2, 3, 0])
    const { pixels, ...size } = image(0)
    assert.deepStrictEqual(size, { height: 32, width: 32, channels: 3 })
    assert.deepStrictEqual([...pixels.subarray(0, 6)], [1, 2, 3, 1, 2, 3])
    // Row 1, column 1, green.
    assert.deepStrictEqual([...pixels.subarray(33 * 3, 33 * 3 + 3)], [1, 77, 3])
    assert.deepStrictEqual([...image(1).pixels.subarray(-3)], [4, 5, 6])
  })

  it.each([
    [
      "a cut one",
      Uint8Array.from(record(0, [1, 2, 3]).slice(1)),
      "it has 3072 bytes, no multiple of the 3073"
    ],
    ["an empty one", new Uint8Array(), "it has 0 bytes"],
    ["a label beyond the classes", Uint8Array.from(record(10, [0, 0, 0])), "label 0 is 10, but there are 10"]
  ])("%s is refused", (_, bytes, reason) =>
    assert.include(reasonOf(decodeCifarBatch("b", bytes, 10)), reason)
  )
})
