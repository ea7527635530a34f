import { assert, describe, it } from "@effect/vitest"
import { classificationMetrics } from "../../../lib/metrics/classification.ts"
import { meanCrossEntropy } from "../../../lib/metrics/cross-entropy.ts"
import { topK } from "../../../lib/metrics/top-k.ts"

// By hand: predictions 0, 2, 1, 1 for labels 0, 1, 1, 2.
const logits = Float32Array.of(3, 1, 2, 0, 1, 2, -1, 5, 0, 0, 2, 1)
const labels = [0, 1, 1, 2]

describe("classification metrics", () => {
  it("counts the label among the k largest", () => {
    assert.strictEqual(topK(logits, labels, 1), 0.5)
    assert.strictEqual(topK(logits, labels, 2), 1)
  })

  it("does not reward ties or logits that are not numbers", () => {
    assert.strictEqual(topK(Float32Array.of(1, 1, 1), [1], 1), 0)
    assert.strictEqual(topK(Float32Array.of(Number.NaN, Number.NaN), [0], 1), 0)
  })

  it("has top-5 of 1 with fewer than five classes", () =>
    assert.strictEqual(classificationMetrics(logits, labels).top5, 1))

  it("takes the mean of -log softmax, also for logits whose exponentials overflow", () => {
    assert.approximately(meanCrossEntropy(Float32Array.of(0, 0, 0), [1]), Math.log(3), 1e-12)
    assert.approximately(meanCrossEntropy(Float32Array.of(1000, 0), [1]), 1000, 1e-9)
  })

  it("says who is taken for whom", () => {
    const { confusionMatrix, perClass } = classificationMetrics(logits, labels)
    assert.deepStrictEqual(confusionMatrix, [
      [1, 0, 0],
      [0, 1, 1],
      [0, 1, 0]
    ])
    assert.deepStrictEqual(perClass, [
      { precision: 1, recall: 1, support: 1 },
      { precision: 0.5, recall: 0.5, support: 2 },
      { precision: 0, recall: 0, support: 1 }
    ])
  })

  it("gives 0 rather than nothing for a class without examples or predictions", () =>
    assert.deepStrictEqual(classificationMetrics(Float32Array.of(1, 0), [0]).perClass[1], {
      precision: 0,
      recall: 0,
      support: 0
    }))
})
