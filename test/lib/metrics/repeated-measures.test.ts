/** Held against SciPy: `test/golden/student-t/make.py`. */
import { assert, describe, it } from "vitest"
import { pairedDifference, spreadOf } from "../../../lib/metrics/repeated-measures.ts"
import { studentT } from "../../../lib/metrics/student-t.ts"
import { assertClose, readGolden } from "../../support/golden.ts"

interface Golden {
  readonly quantiles: ReadonlyArray<{ probability: number; degrees: number; t: number }>
  readonly pairs: ReadonlyArray<{
    before: ReadonlyArray<number>
    after: ReadonlyArray<number>
    mean: number
    sd: number
    interval: readonly [number, number]
  }>
}
const { pairs, quantiles } = readGolden<Golden>("student-t")

describe("studentT", () => {
  // SciPy says 1.0000000000134 where the quantile is 1.
  it("equals SciPy's quantiles", () => {
    assert.lengthOf(quantiles, 60)
    for (const { degrees, probability, t } of quantiles) {
      assert.approximately(studentT(probability, degrees) / t, 1, 1e-10, `${probability}, ${degrees}`)
    }
  })
})

describe("pairedDifference", () => {
  it("equals SciPy's paired t test", () => {
    assert.lengthOf(pairs, 5)
    for (const { after, before, interval, mean, sd } of pairs) {
      const found = pairedDifference(before, after)
      assertClose([found.mean, found.sd!, ...found.interval!], [mean, sd, ...interval], 1e-12)
    }
  })

  it("does not see what a pair has in common", () => {
    const [before, after] = [
      [0.1, 0.5, 0.9],
      [0.2, 0.61, 1.02]
    ]
    assertClose(pairedDifference(before, after).interval!, [0.11 - 0.024841377, 0.11 + 0.024841377], 1e-8)
    assert.isAbove(spreadOf(after).sd!, 0.4)
  })

  it("has no interval for one pair, and says nothing of its spread", () => {
    assert.deepStrictEqual(pairedDifference([0.25], [0.75]), { mean: 0.5, sd: null, interval: null })
  })

  it("has an interval of no width where all differences are equal", () => {
    assert.deepStrictEqual(pairedDifference([0.25, 0.5], [0.5, 0.75]).interval, [0.25, 0.25])
  })
})
