import { assert, describe, it } from "@effect/vitest"
import { type LrScheduleOptions, learningRateAt } from "../../../lib/train/lr-schedules.ts"
import { readGolden } from "../../support/golden.ts"

const options: LrScheduleOptions = {
  learningRate: 0.4,
  batchSize: 128,
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

  const tables =
    readGolden<ReadonlyArray<{ options: LrScheduleOptions; rates: ReadonlyArray<number> }>>("learning-rates")
  it.each(tables)("is the table's rate at every step: $options.lrForm, $options.lrSchedule", (table) => {
    const { epochs, stepsPerEpoch } = table.options
    assert.lengthOf(table.rates, epochs * stepsPerEpoch)
    for (const [step, rate] of table.rates.entries()) {
      assert.approximately(learningRateAt(table.options, step), rate, 1e-15, `step ${step}`)
    }
  })

  it("is in proportion to the batch where it is said for which one it is: the paper's 0.1 for 256", () => {
    const scaled = { ...options, learningRate: 0.1, warmupEpochs: 0, baseBatchSize: 256 }
    assert.strictEqual(learningRateAt({ ...scaled, batchSize: 256 }, 0), 0.1)
    assert.strictEqual(learningRateAt({ ...scaled, batchSize: 1024 }, 0), 0.4)
    assert.strictEqual(learningRateAt({ ...scaled, batchSize: 1024, baseBatchSize: null }, 0), 0.1)
  })

  it("warms up from 0 to the peak in GluonCV's form, and ends at 0; pieces of one step are the peak", () => {
    const gluoncv = { ...options, lrForm: "gluoncv" } as const
    assert.deepStrictEqual(
      [0, 9, 10, 49].map((step) => learningRateAt(gluoncv, step)),
      [0, 0.4, 0.4, 0]
    )
    const short = { ...gluoncv, warmupEpochs: 1, epochs: 2, stepsPerEpoch: 1 }
    assert.deepStrictEqual(
      [0, 1].map((step) => learningRateAt(short, step)),
      [0.4, 0.4]
    )
  })
})
