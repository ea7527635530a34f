import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  type DeltaWeights,
  decodeBoxes,
  encodeBoxes,
  encodeMatched,
  SSD_WEIGHTS,
  UNIT_WEIGHTS
} from "../../../lib/boxes/coder.ts"
import { BACKGROUND, IGNORED } from "../../../lib/boxes/matcher.ts"
import { assertClose, readGolden } from "../../support/golden.ts"
import { flatBoxes, RandomBox } from "../../support/randomBoxes.ts"

const { coder: golden } = readGolden<{
  coder: {
    anchors: Array<number>
    boxes: Array<number>
    cases: Array<{
      weights: DeltaWeights
      deltas: Array<number>
      given: Array<number>
      decoded: Array<number>
    }>
  }
}>("detection")
const anchors = Float32Array.from(golden.anchors)
const boxes = Float32Array.from(golden.boxes)

describe("the box coder", () => {
  for (const { weights, deltas, given, decoded } of golden.cases) {
    it(`equals torchvision's BoxCoder with weights ${weights}, its clamp included`, () => {
      assertClose(encodeBoxes(boxes, anchors, weights), deltas, 1e-6)
      assertClose(decodeBoxes(Float32Array.from(given), anchors, weights), decoded, 1e-6)
    })
  }

  it("has the constants of RetinaNet and SSD", () =>
    assert.deepStrictEqual(
      golden.cases.map(({ weights }) => weights),
      [[...UNIT_WEIGHTS], [...SSD_WEIGHTS]]
    ))

  it("knows rows from columns", () => {
    const deltas = encodeBoxes(Float32Array.of(2, 0, 12, 4), Float32Array.of(0, 0, 10, 4), [1, 2, 4, 8])
    assertClose(deltas, [0.2, 0, 0, 0], 1e-6)
    const tall = decodeBoxes(
      Float32Array.of(0, 0, 4 * Math.log(2), 0),
      Float32Array.of(0, 0, 10, 4),
      [1, 2, 4, 8]
    )
    assertClose(tall, [-5, 0, 15, 4], 1e-6)
  })

  it.prop(
    "what is encoded is decoded",
    { pairs: Schema.Array(Schema.Struct({ anchor: RandomBox, box: RandomBox })) },
    ({ pairs }) => {
      const from = flatBoxes(pairs.map(({ anchor }) => anchor))
      const wanted = flatBoxes(pairs.map(({ box }) => box))
      const deltas = encodeBoxes(wanted, from, [3, 1, 0.5, 2])
      assertClose(decodeBoxes(deltas, from, [3, 1, 0.5, 2]), wanted, 2e-5)
    }
  )

  it("decodes the largest deltas there are to finite boxes", () => {
    const decoded = decodeBoxes(Float32Array.of(0, 0, 3e38, 3e38), Float32Array.of(0, 0, 16, 32))
    assertClose(decoded, [-492, -984, 508, 1016], 1e-5)
  })

  it("encodes matched anchors, and zeros for the rest", () => {
    const matches = Int32Array.of(BACKGROUND, 1, IGNORED, 0)
    const deltas = encodeMatched(matches, boxes, anchors.subarray(0, 16), SSD_WEIGHTS)
    const own = Float32Array.from([...boxes.subarray(4, 8), ...boxes.subarray(0, 4)])
    const theirs = Float32Array.from([...anchors.subarray(4, 8), ...anchors.subarray(12, 16)])
    const encoded = encodeBoxes(own, theirs, SSD_WEIGHTS)
    assert.deepStrictEqual(
      [...deltas],
      [0, 0, 0, 0, ...encoded.subarray(0, 4), 0, 0, 0, 0, ...encoded.subarray(4)]
    )
  })
})
