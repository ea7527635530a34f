import { assert, describe, it } from "@effect/vitest"
import { COCO_101_POINT, cocoAveragePrecision } from "../../../lib/metrics/coco-average-precision.ts"
import type { EvaluatedImage } from "../../../lib/metrics/detection.ts"
import { goldenAveragePrecision } from "../../support/evaluatedImages.ts"

const { numClasses, cases } = goldenAveragePrecision()

const assertEqual = (
  name: string,
  actual: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, number | null>>
) => {
  for (const [key, value] of Object.entries(wanted)) {
    if (value === null) assert.isNull(actual[key], `${name}.${key}`)
    else assert.approximately(actual[key] as number, value, 1e-12, `${name}.${key}`)
  }
}

const empty: EvaluatedImage = {
  truths: { boxes: new Float32Array(0), classes: [], difficult: [] },
  detections: []
}
const one: EvaluatedImage = {
  truths: { boxes: Float32Array.of(0, 0, 40, 40), classes: [0], difficult: [0] },
  detections: [{ box: [0, 0, 40, 40], classIndex: 0, score: 0.9 }]
}

describe("cocoAveragePrecision", () => {
  for (const [index, golden] of cases.entries()) {
    it(`equals pycocotools in case ${index}, class by class`, () => {
      const result = cocoAveragePrecision({ images: golden.images, numClasses })
      const { perClass, ...overall } = golden.coco
      assertEqual("all", { ...result }, overall)
      assert.strictEqual(result.perClass.length, numClasses)
      result.perClass.forEach((row, label) => {
        assertEqual(`class ${label}`, { ...row }, perClass[label]!)
      })
    })
  }

  it("is 1 where every box is found exactly, and null for sizes that do not occur", () => {
    const result = cocoAveragePrecision({ images: [one, empty], numClasses: 2 })
    assert.strictEqual(result.protocol, COCO_101_POINT)
    assertEqual("all", { ...result }, { ap: 1, ap50: 1, ap75: 1, ar100: 1, apMedium: 1 })
    assertEqual("all", { ...result }, { apSmall: null, apLarge: null })
  })

  it("an IoU of just a threshold is right at that one and wrong at the next", () => {
    const half = { ...one, detections: [{ ...one.detections[0]!, box: [0, 0, 40, 20] as const }] }
    assertEqual(
      "half",
      { ...cocoAveragePrecision({ images: [half], numClasses: 1 }) },
      {
        ap50: 1,
        ap75: 0,
        ap: 0.1,
        ar100: 0.1
      }
    )
  })

  it("is null without truths and 0 without detections", () => {
    const nothing = cocoAveragePrecision({ images: [empty], numClasses: 1 })
    assert.deepStrictEqual([nothing.ap, nothing.ar100, nothing.perClass[0]!.numTruths], [null, null, 0])
    const missed = cocoAveragePrecision({ images: [{ ...one, detections: [] }], numClasses: 1 })
    assert.deepStrictEqual([missed.ap, missed.ap50, missed.ar100, missed.apLarge], [0, 0, 0, null])
  })

  it("looks at the best hundred detections of an image and class", () => {
    const stray = (index: number) => ({ box: [90, 0, 95, index + 1] as const, classIndex: 0, score: 0.95 })
    const crowd = (count: number): EvaluatedImage => ({
      ...one,
      detections: [...one.detections, ...Array.from({ length: count }, (_, index) => stray(index))]
    })
    assert.strictEqual(cocoAveragePrecision({ images: [crowd(99)], numClasses: 1 }).ar100, 1)
    assert.strictEqual(cocoAveragePrecision({ images: [crowd(100)], numClasses: 1 }).ar100, 0)
  })
})
