import { assert, describe, it } from "@effect/vitest"
import { type LrScheduleOptions, learningRateAt } from "../../../lib/train/lr-schedules.ts"

const options: LrScheduleOptions = {
  learningRate: 0.4,
  warmupEpochs: 2,
  epochs: 10,
  stepsPerEpoch: 5,
  lrSchedule: { kind: "cosine" }
}

/** The two lines of shared/reference/fashion_mnist.py, as they stand there. */
const reference = (lr: number, step: number, W: number, N: number, E: number) =>
  step < W ? (lr * (step + 1)) / W : lr * 0.5 * (1 + Math.cos((Math.PI * (step - W)) / (N * E - W)))

describe("learningRateAt", () => {
  it("warms up linearly, then follows half a cosine, as the PyTorch reference", () => {
    for (let step = 0; step < 50; step++) {
      assert.approximately(learningRateAt(options, step), reference(0.4, step, 10, 5, 10), 1e-15)
    }
  })

  it("starts above 0, reaches the peak once and ends near 0", () => {
    assert.strictEqual(learningRateAt(options, 0), 0.04)
    assert.strictEqual(learningRateAt(options, 9), 0.4)
    assert.strictEqual(learningRateAt(options, 10), 0.4)
    assert.approximately(learningRateAt(options, 30), 0.2, 1e-12)
    assert.isBelow(learningRateAt(options, 49), 0.001)
    assert.isAbove(learningRateAt(options, 49), 0)
  })

  it("needs no warm-up", () => assert.strictEqual(learningRateAt({ ...options, warmupEpochs: 0 }, 0), 0.4))

  it("stays constant, or falls at its milestones", () => {
    assert.strictEqual(learningRateAt({ ...options, lrSchedule: { kind: "constant" } }, 49), 0.4)
    const lrSchedule = { kind: "step", milestones: [4, 8], factor: 0.1 } as const
    const at = (step: number) => learningRateAt({ ...options, lrSchedule }, step)
    assert.deepStrictEqual([at(19), at(20), at(39), at(40)], [0.4, 0.4 * 0.1, 0.4 * 0.1, 0.4 * 0.1 ** 2])
  })
})
