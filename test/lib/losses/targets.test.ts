import { assert, describe, it } from "@effect/vitest"
import { writeTargets } from "../../../lib/losses/targets.ts"

const targetsOf = (labels: ReadonlyArray<number>, numClasses: number, smoothing: number) => {
  const targets = new Float32Array(labels.length * numClasses).fill(9)
  writeTargets(targets, labels, numClasses, smoothing)
  return targets
}

describe("writeTargets", () => {
  it("is 1 at the label without smoothing", () =>
    assert.deepStrictEqual([...targetsOf([2, 0], 3, 0)], [0, 0, 1, 1, 0, 0]))

  it("spreads ε over the other K - 1 classes, as the paper's equation 5", () => {
    const row = [...targetsOf([1], 5, 0.1)]
    assert.deepStrictEqual(row, [0.025, 0.9, 0.025, 0.025, 0.025].map(Math.fround))
  })
})
