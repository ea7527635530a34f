import { assert, describe, it } from "@effect/vitest"
import type { EvaluatedImage } from "../../../lib/metrics/detection.ts"
import {
  VOC_ALL_POINT,
  VOC_ELEVEN_POINT,
  vocAveragePrecision
} from "../../../lib/metrics/voc-average-precision.ts"
import { goldenAveragePrecision, padilla } from "../../support/evaluatedImages.ts"

const { numClasses, cases } = goldenAveragePrecision()

const assertEqual = (actual: ReadonlyArray<{ ap: number | null }>, wanted: ReadonlyArray<number | null>) =>
  actual.forEach(({ ap }, index) => {
    const value = wanted[index]!
    if (value === null) assert.isNull(ap)
    else assert.approximately(ap!, value, 1e-12)
  })

/** A detection of class 0 on pixels `y` to `y + 10`. */
const found = (y: number, score: number) => ({ box: [y, 0, y + 10, 10] as const, classIndex: 0, score })
const image = (
  tops: ReadonlyArray<number>,
  difficult: ReadonlyArray<number>,
  detections: EvaluatedImage["detections"]
): EvaluatedImage => ({
  truths: {
    boxes: Float32Array.from(tops.flatMap((y) => [y, 0, y + 10, 10])),
    classes: tops.map(() => 0),
    difficult
  },
  detections
})
const apOf = (...images: ReadonlyArray<EvaluatedImage>) => vocAveragePrecision({ images, numClasses: 1 })

describe("vocAveragePrecision", () => {
  for (const [index, golden] of cases.entries()) {
    it(`equals the golden values of case ${index}, by all points and by eleven`, () => {
      const allPoint = vocAveragePrecision({ images: golden.images, numClasses })
      assert.strictEqual(allPoint.protocol, VOC_ALL_POINT)
      assertEqual(allPoint.perClass, golden.vocAllPoint)
      const known = golden.vocAllPoint.filter((ap) => ap !== null)
      const mean = known.reduce((sum, ap) => sum + ap, 0) / known.length
      assert.approximately(allPoint.meanAp!, mean, 1e-12)
      const eleven = vocAveragePrecision({ images: golden.images, numClasses, protocol: VOC_ELEVEN_POINT })
      assert.strictEqual(eleven.protocol, VOC_ELEVEN_POINT)
      assertEqual(eleven.perClass, golden.vocElevenPoint)
    })
  }

  it("gives the figures published for Padilla's sample: 24.56 % by all points, 26.84 % by eleven", () => {
    // They were cut off, not rounded, after four digits.
    const options = { images: padilla, numClasses: 1, iouThreshold: 0.3 }
    assert.approximately(vocAveragePrecision(options).meanAp!, 0.2456, 1e-4)
    const eleven = vocAveragePrecision({ ...options, protocol: VOC_ELEVEN_POINT })
    assert.approximately(eleven.meanAp!, 0.2684, 1e-4)
    assert.deepStrictEqual([eleven.perClass[0]!.numTruths, eleven.perClass[0]!.numDetections], [15, 24])
  })

  it("an IoU of just the threshold is right", () => {
    const half = { ...found(0, 0.9), box: [0, 0, 10, 5] as const }
    assert.strictEqual(apOf(image([0], [0], [half])).meanAp, 1)
    assert.strictEqual(apOf(image([0], [0], [{ ...half, box: [0, 0, 10, 4.75] }])).meanAp, 0)
  })

  it("counts a second detection of one box as wrong, in whichever image order", () => {
    const doubled = image([0], [0], [found(1, 0.8), found(0, 0.9), found(40, 0.1)])
    const missed = image([0], [0], [])
    assert.strictEqual(apOf(doubled).meanAp, 1)
    assert.strictEqual(apOf(doubled, missed).meanAp, 0.5)
    assert.strictEqual(apOf(missed, doubled).meanAp, 0.5)
  })

  it("a wrong detection of higher score halves the precision", () =>
    assert.strictEqual(apOf(image([0], [0], [found(40, 0.95), found(0, 0.9)])).meanAp, 0.5))

  it("difficult boxes: neither found nor missed, however often", () => {
    const detections = [found(0, 0.9), found(0, 0.8), found(40, 0.7)]
    const { meanAp, perClass } = apOf(image([0, 40], [1, 0], detections))
    assert.strictEqual(meanAp, 1)
    assert.strictEqual(perClass[0]!.numTruths, 1)
  })

  it("has no AP for a class without truths, and none at all without any", () => {
    const { meanAp, perClass } = vocAveragePrecision({
      images: [image([0], [0], [found(0, 0.9), { ...found(0, 0.9), classIndex: 1 }])],
      numClasses: 2
    })
    assert.strictEqual(meanAp, 1)
    assert.deepStrictEqual(perClass[1], { ap: null, numTruths: 0, numDetections: 1 })
    assert.isNull(apOf(image([], [], [found(0, 0.9)])).meanAp)
    assert.isNull(apOf().meanAp)
    assert.strictEqual(apOf(image([0], [0], [])).meanAp, 0)
  })
})
