import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { stratifiedSplit } from "../../../lib/data/stratified-split.ts"

const labelsOf = (...counts: ReadonlyArray<number>) =>
  counts.flatMap((count, label) => Array.from({ length: count }, () => label))
const countsOf = (labels: ReadonlyArray<number>, indices: Int32Array) =>
  [...indices].reduce<Record<number, number>>((counts, index) => {
    counts[labels[index]!] = (counts[labels[index]!] ?? 0) + 1
    return counts
  }, {})

describe("stratified split", () => {
  it.prop(
    "every index once, in order, and no class without examples to train on",
    {
      labels: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4 }))),
      tenths: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 }))
    },
    ({ labels, tenths }) => {
      const { kept, taken } = stratifiedSplit(labels, tenths / 10, 1)
      assert.deepStrictEqual(
        [...kept, ...taken].sort((a, b) => a - b),
        labels.map((_, index) => index)
      )
      assert.deepStrictEqual(
        [...kept],
        [...kept].sort((a, b) => a - b)
      )
      assert.deepStrictEqual(new Set([...kept].map((index) => labels[index])), new Set(labels))
    }
  )

  it("takes the same share of a rare class as of a common one", () => {
    const labels = labelsOf(1000, 50, 2, 1)
    assert.deepStrictEqual(countsOf(labels, stratifiedSplit(labels, 0.1, 7).taken), { 0: 100, 1: 5, 2: 1 })
  })

  it("the seed decides", () => {
    const labels = labelsOf(100, 100)
    assert.deepStrictEqual(stratifiedSplit(labels, 0.1, 7), stratifiedSplit(labels, 0.1, 7))
    assert.notDeepEqual(stratifiedSplit(labels, 0.1, 7), stratifiedSplit(labels, 0.1, 8))
  })
})
