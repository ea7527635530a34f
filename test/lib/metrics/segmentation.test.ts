import { assert, describe, it } from "@effect/vitest"
import { countPixels, emptyPixelCounts, segmentationMetrics } from "../../../lib/metrics/segmentation.ts"
import { readGolden } from "../../support/golden.ts"

const { metrics: golden } = readGolden<{
  metrics: {
    numClasses: number
    masks: Array<{ labels: Array<number>; predictions: Array<number> }>
    iou: Array<number | null>
    support: Array<number>
    meanIou: number
    pixelAccuracy: number
  }
}>("segmentation")

const metricsOf = (numClasses: number, labels: ReadonlyArray<number>, predictions: ReadonlyArray<number>) => {
  const counts = emptyPixelCounts(numClasses)
  countPixels(counts, Uint8Array.from(labels), Uint8Array.from(predictions))
  return segmentationMetrics(counts)
}

describe("segmentationMetrics", () => {
  it("equals NumPy over several masks, an unlabelled and an absent class among them", () => {
    const counts = emptyPixelCounts(golden.numClasses)
    for (const { labels, predictions } of golden.masks) countPixels(counts, labels, predictions)
    const { meanIou, numPixels, perClass, pixelAccuracy } = segmentationMetrics(counts)
    perClass.forEach(({ iou, support }, index) => {
      const wanted = golden.iou[index]!
      assert.strictEqual(support, golden.support[index])
      if (wanted === null) assert.isNull(iou)
      else assert.approximately(iou!, wanted, 1e-14)
    })
    assert.approximately(meanIou!, golden.meanIou, 1e-14)
    assert.approximately(pixelAccuracy!, golden.pixelAccuracy, 1e-14)
    assert.strictEqual(
      numPixels,
      golden.support.reduce((sum, count) => sum + count, 0)
    )
  })

  it("leaves ignored pixels out of labels and predictions", () => {
    const { meanIou, perClass, pixelAccuracy } = metricsOf(3, [0, 0, 255, 255], [0, 0, 1, 2])
    assert.deepStrictEqual([meanIou, pixelAccuracy], [1, 1])
    assert.deepStrictEqual(
      perClass.map(({ iou }) => iou),
      [1, null, null]
    )
  })

  it("a class predicted where it never is counts as 0", () =>
    assert.strictEqual(metricsOf(2, [0, 0, 0, 0], [0, 0, 1, 1]).meanIou, 0.25))

  it("has no figures without labelled pixels", () => {
    const { meanIou, numPixels, pixelAccuracy } = metricsOf(2, [255, 255], [0, 1])
    assert.deepStrictEqual([meanIou, pixelAccuracy, numPixels], [null, null, 0])
  })

  it("refuses masks of another length and indices that are no class", () => {
    const counts = emptyPixelCounts(2)
    assert.throws(() => countPixels(counts, [0, 1], [0]), RangeError)
    assert.throws(() => countPixels(counts, [2], [0]), RangeError, "pixel 0 has label 2")
    assert.throws(() => countPixels(counts, [0], [2]), RangeError, "prediction 2")
    assert.deepStrictEqual([...counts.matrix], [0, 0, 0, 0])
    countPixels(counts, Int32Array.of(-1, 1), Int32Array.of(7, 1))
    assert.deepStrictEqual([...counts.matrix], [0, 0, 0, 1])
  })
})
