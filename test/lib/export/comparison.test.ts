import { assert, describe, it } from "@effect/vitest"
import { comparisonImages, differenceOf, numCompared } from "../../../lib/export/comparison.ts"

describe("the difference of logits", () => {
  it("is the largest, in units of the largest logit of the reference", () => {
    const found = differenceOf([1, -4, 2, 0], [1, -4.5, 2.25, 0], 2)
    assert.deepStrictEqual(found, { maxDifference: 0.5, relativeDifference: 0.125, sameClass: 2 })
    assert.strictEqual(differenceOf([1, 2], [2, 1], 2).sameClass, 0)
  })

  it.each([
    ["a logit that is no number", [1, Number.NaN, 3, 4]],
    ["one too few", [1, 2, 3]],
    ["one too many", [1, 2, 3, 4, 5]]
  ])("is within no tolerance for %s", (_, logits) => {
    assert.isFalse(differenceOf([1, 2, 3, 4], logits, 2).relativeDifference <= 1e9)
  })
})

describe("the images of a comparison", () => {
  it("are the same every time, and differ from each other", () => {
    const images = comparisonImages([8, 6, 3])
    assert.lengthOf(images, numCompared * 8 * 6 * 3)
    assert.deepStrictEqual(comparisonImages([8, 6, 3]), images)
    const first = images.subarray(0, 144)
    for (let image = 1; image < numCompared; image++) {
      assert.notDeepEqual(images.subarray(image * 144, (image + 1) * 144), first)
    }
  })
})
