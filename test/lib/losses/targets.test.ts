import { assert, describe, it } from "@effect/vitest"
import { type LabelSmoothingForm, writeTargets } from "../../../lib/losses/targets.ts"

const targetsOf = (
  labels: ReadonlyArray<number>,
  numClasses: number,
  labelSmoothing: number,
  labelSmoothingForm?: LabelSmoothingForm
) => {
  const targets = new Float32Array(labels.length * numClasses).fill(9)
  writeTargets(targets, labels, numClasses, { labelSmoothing, labelSmoothingForm })
  return targets
}

describe("writeTargets", () => {
  it("is 1 at the label without smoothing, in both forms", () => {
    assert.deepStrictEqual([...targetsOf([2, 0], 3, 0)], [0, 0, 1, 1, 0, 0])
    assert.deepStrictEqual([...targetsOf([2, 0], 3, 0, "szegedy")], [0, 0, 1, 1, 0, 0])
  })

  it("spreads ε over the other K - 1 classes, as the paper's equation 5", () => {
    const row = [...targetsOf([1], 5, 0.1)]
    assert.deepStrictEqual(row, [0.025, 0.9, 0.025, 0.025, 0.025].map(Math.fround))
  })

  // By hand: 0.1 / 9, 0.1 / 999; 0.1 / 10, 0.1 / 1000.
  it.each([
    ["paper", 10, 0.9, 0.011111111111111112],
    ["paper", 1000, 0.9, 0.0001001001001001001],
    ["szegedy", 10, 0.91, 0.01],
    ["szegedy", 1000, 0.9001, 0.0001]
  ] as const)("%s, K = %i, ε = 0.1: %f at the label, %f elsewhere", (form, numClasses, on, off) => {
    const row = targetsOf([7], numClasses, 0.1, form)
    for (const [k, value] of row.entries()) {
      assert.approximately(value, k === 7 ? on : off, 1e-7 * (k === 7 ? on : off), `class ${k}`)
    }
    assert.approximately(
      row.reduce((sum, value) => sum + value, 0),
      1,
      1e-6
    )
  })

  it("leaves the optimum's gap between logits at log((K - 1)(1 - ε) / ε), 9.104 at K = 1000", () => {
    const row = targetsOf([0], 1000, 0.1)
    assert.approximately(Math.log(row[0]! / row[1]!), 9.104, 5e-4)
  })
})
