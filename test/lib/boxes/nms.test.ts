import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type Detection, nonMaxSuppression, selectDetections } from "../../../lib/boxes/nms.ts"
import { readGolden } from "../../support/golden.ts"
import { flatBoxes, RandomBox } from "../../support/randomBoxes.ts"

const { nms: golden } = readGolden<{
  nms: {
    boxes: Array<number>
    scores: Array<number>
    classes: Array<number>
    kept: Array<number>
    keptPerClass: Array<number>
  }
}>("detection")
const goldenBoxes = Float32Array.from(golden.boxes)

/** `[A, K]` with each box's score at its class. */
const scoresOf = (scores: ReadonlyArray<number>, classes: ReadonlyArray<number>, numClasses: number) => {
  const table = new Float32Array(scores.length * numClasses)
  scores.forEach((score, index) => {
    table[index * numClasses + classes[index]!] = score
  })
  return table
}

const summary = (detections: ReadonlyArray<Detection>) =>
  detections.map(({ box, classIndex, score }) => [...box, classIndex, score])

const ScoredBox = Schema.Struct({
  box: RandomBox,
  tenths: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })),
  classIndex: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 }))
})

describe("nonMaxSuppression", () => {
  it("equals torchvision's nms, ties included", () =>
    assert.deepStrictEqual(nonMaxSuppression(goldenBoxes, golden.scores, 0.5), golden.kept))

  it("spares a box whose IoU is just the threshold", () => {
    const boxes = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 5)
    assert.deepStrictEqual(nonMaxSuppression(boxes, [0.9, 0.8], 0.5), [0, 1])
    assert.deepStrictEqual(nonMaxSuppression(boxes, [0.9, 0.8], 0.49), [0])
  })

  it.prop("what survived once survives again", { scored: Schema.Array(ScoredBox) }, ({ scored }) => {
    const boxes = flatBoxes(scored.map(({ box }) => box))
    const scores = scored.map(({ tenths }) => tenths / 10)
    const kept = nonMaxSuppression(boxes, scores, 0.4)
    const again = nonMaxSuppression(
      flatBoxes(kept.map((index) => scored[index]!.box)),
      kept.map((index) => scores[index]!),
      0.4
    )
    assert.deepStrictEqual(
      again,
      kept.map((_, place) => place)
    )
    assert.strictEqual(kept.length > 0, scored.length > 0)
  })
})

describe("selectDetections", () => {
  it("equals torchvision's batched_nms, class by class", () => {
    const scores = scoresOf(golden.scores, golden.classes, 3)
    const detections = selectDetections({ boxes: goldenBoxes, scores, numClasses: 3, scoreThreshold: -1 })
    // Each box has zeros at its other classes here, which torchvision does not know of.
    const own = detections.filter(({ score }) => score > 0)
    const wanted = golden.keptPerClass.filter((index) => golden.scores[index]! > 0)
    assert.deepStrictEqual(
      summary(own),
      wanted.map((index) => [
        ...golden.boxes.slice(index * 4, index * 4 + 4),
        golden.classes[index]!,
        Math.fround(golden.scores[index]!)
      ])
    )
  })

  const three = Float32Array.of(0, 0, 10, 10, 0, 1, 10, 11, 50, 50, 60, 60)
  const of = (options: Partial<Parameters<typeof selectDetections>[0]>) =>
    selectDetections({ boxes: three, scores: Float32Array.of(0.5, 0.75, 0.25), numClasses: 1, ...options })

  it("sorts by score and drops what another one covers", () =>
    assert.deepStrictEqual(summary(of({})), [
      [0, 1, 10, 11, 0, 0.75],
      [50, 50, 60, 60, 0, 0.25]
    ]))

  it("passes over low scores, cuts before and after the suppression", () => {
    assert.deepStrictEqual(summary(of({ scoreThreshold: 0.25 })), [[0, 1, 10, 11, 0, 0.75]])
    assert.deepStrictEqual(summary(of({ topK: 2 })), [[0, 1, 10, 11, 0, 0.75]])
    assert.deepStrictEqual(summary(of({ maxDetections: 1 })), [[0, 1, 10, 11, 0, 0.75]])
    assert.strictEqual(of({ iouThreshold: 0.9 }).length, 3)
    // The first two boxes share 90 of 110 pixels.
    assert.strictEqual(of({ iouThreshold: 90 / 110 }).length, 3)
  })

  it("one anchor may speak for two classes; equal scores go by anchor, then class", () => {
    const scores = Float32Array.of(0.5, 0.5, 0, 0, 0.5, 0)
    assert.deepStrictEqual(summary(of({ scores, numClasses: 2 })), [
      [0, 0, 10, 10, 0, 0.5],
      [0, 0, 10, 10, 1, 0.5],
      [50, 50, 60, 60, 0, 0.5]
    ])
  })

  it("passes over boxes without area and scores that are no numbers", () => {
    const boxes = Float32Array.of(5, 5, 5, 9, 0, 0, Number.NaN, 4, 1, 1, 2, 2)
    const scores = Float32Array.of(0.9, 0.9, Number.NaN)
    assert.deepStrictEqual(of({ boxes, scores }), [])
    assert.deepStrictEqual(of({ boxes: new Float32Array(0), scores: new Float32Array(0) }), [])
  })

  it.prop(
    "gives back the same detections when they are selected from again",
    { scored: Schema.Array(ScoredBox) },
    ({ scored }) => {
      const select = (boxes: Float32Array, scores: ReadonlyArray<number>, classes: ReadonlyArray<number>) =>
        selectDetections({ boxes, scores: scoresOf(scores, classes, 3), numClasses: 3 })
      const once = select(
        flatBoxes(scored.map(({ box }) => box)),
        scored.map(({ tenths }) => tenths / 10),
        scored.map(({ classIndex }) => classIndex)
      )
      const again = select(
        Float32Array.from(once.flatMap(({ box }) => box)),
        once.map(({ score }) => score),
        once.map(({ classIndex }) => classIndex)
      )
      assert.deepStrictEqual(again, once)
    }
  )
})
