import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { boxIou } from "../../../lib/boxes/iou.ts"
import { BACKGROUND, IGNORED, matchAnchors } from "../../../lib/boxes/matcher.ts"
import { readGolden } from "../../support/golden.ts"
import { flatBoxes, RandomBox } from "../../support/randomBoxes.ts"

const { matcher: golden } = readGolden<{
  matcher: { anchors: Array<number>; boxes: Array<number>; matches: Array<number> }
}>("detection")

/** Anchors 10 high that cover `[0, 0, 10, 10]` by so many tenths, from its left end. */
const covering = (...tenths: ReadonlyArray<number>) =>
  Float32Array.from(tenths.flatMap((width) => [0, 0, 10, width]))
const box = Float32Array.of(0, 0, 10, 10)

describe("matchAnchors", () => {
  it("equals torchvision's Matcher where boxes do not keep their best anchors", () => {
    const matches = matchAnchors({
      anchors: Float32Array.from(golden.anchors),
      boxes: Float32Array.from(golden.boxes),
      keepBest: false
    })
    assert.deepStrictEqual([...matches], golden.matches)
    assert.include(golden.matches, IGNORED)
  })

  it("has its thresholds at 0.5 and 0.4, both belonging to the better side", () => {
    const matches = matchAnchors({ anchors: covering(9, 5, 4.5, 4, 3.9), boxes: box })
    assert.deepStrictEqual([...matches], [0, 0, IGNORED, IGNORED, BACKGROUND])
  })

  it("takes other thresholds", () => {
    const matches = matchAnchors({
      anchors: covering(9, 7, 6, 2),
      boxes: box,
      positiveIou: 0.7,
      negativeIou: 0.6
    })
    assert.deepStrictEqual([...matches], [0, 0, IGNORED, BACKGROUND])
  })

  it("a box keeps its best anchors, all of them, below every threshold", () => {
    const anchors = Float32Array.from([...covering(2), ...[0, 8, 10, 10], ...covering(1)])
    assert.deepStrictEqual([...matchAnchors({ anchors, boxes: box })], [0, 0, BACKGROUND])
    assert.deepStrictEqual([...matchAnchors({ anchors, boxes: box, keepBest: false })], [-1, -1, -1])
  })

  it("a box that no anchor touches takes none", () =>
    assert.deepStrictEqual(
      [...matchAnchors({ anchors: covering(9, 2), boxes: Float32Array.of(50, 50, 60, 60) })],
      [BACKGROUND, BACKGROUND]
    ))

  it("gives an anchor that two boxes want most to the one it covers best", () => {
    // One anchor for both: IoU 0.3 with the first, 0.6 with the second.
    const boxes = Float32Array.of(0, 0, 10, 3, 0, 4, 10, 10)
    const anchors = Float32Array.of(0, 0, 10, 10)
    assert.deepStrictEqual([...matchAnchors({ anchors, boxes })], [1])
  })

  it("a box's best anchor is its own even where it covers another box better", () => {
    // The second anchor has IoU 0.8 with the first box, which has a better one, and 0.2 with the second box.
    const boxes = Float32Array.of(0, 0, 10, 8, 0, 8, 10, 10)
    const anchors = Float32Array.of(0, 0, 10, 8, 0, 0, 10, 10)
    assert.deepStrictEqual([...matchAnchors({ anchors, boxes })], [0, 1])
  })

  it("ignores anchors on difficult boxes unless another box needs them", () => {
    const boxes = Float32Array.of(0, 0, 10, 10, 20, 0, 30, 10)
    const anchors = Float32Array.from([...covering(9, 4.5, 3), ...[20, 0, 30, 9]])
    const matches = matchAnchors({ anchors, boxes, difficult: [1, 0] })
    assert.deepStrictEqual([...matches], [IGNORED, IGNORED, BACKGROUND, 1])
    const twice = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 9.5)
    assert.deepStrictEqual([...matchAnchors({ anchors: covering(10), boxes: twice, difficult: [1, 0] })], [1])
  })

  it("is background everywhere in an image without boxes", () =>
    assert.deepStrictEqual(
      [...matchAnchors({ anchors: covering(9, 2), boxes: new Float32Array(0) })],
      [BACKGROUND, BACKGROUND]
    ))

  const Boxes = Schema.Array(RandomBox)
  it.prop(
    "nothing is matched without overlap, and every box has an anchor or lost it to a better match",
    { anchors: Boxes, boxes: Boxes },
    ({ anchors, boxes }) => {
      const [flatAnchors, flat] = [flatBoxes(anchors), flatBoxes(boxes)]
      const matches = matchAnchors({ anchors: flatAnchors, boxes: flat })
      const ious = boxIou(flatAnchors, flat)
      const iou = (anchor: number, of: number) => ious[anchor * boxes.length + of]!
      matches.forEach((match, anchor) => {
        if (match >= 0) assert.isAbove(iou(anchor, match), 0)
        else for (const of of boxes.keys()) assert.isBelow(iou(anchor, of), 0.5)
      })
      boxes.forEach((_, of) => {
        const best = Math.max(0, ...anchors.map((_, anchor) => iou(anchor, of)))
        if (best === 0 || matches.includes(of)) return
        for (const anchor of anchors.keys()) {
          if (iou(anchor, of) === best) assert.isAtLeast(iou(anchor, matches[anchor]!), best)
        }
      })
    }
  )
})
