import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../infra/tensorflow/portable/wasm.ts"
import { batchNorm, movedStatistic } from "../../../lib/nn/batch-norm.ts"
import { BatchStatistics, evaluation } from "../../../lib/nn/Mode.ts"
import { tf } from "../../../lib/tensor/tf.ts"

beforeAll(() => Effect.runPromise(startWasm))

const norm = { name: "bn", channels: 1 }
const weights = () => ({
  "bn.weight": tf.tensor1d([2]),
  "bn.bias": tf.tensor1d([1]),
  "bn.running_mean": tf.tensor1d([10]),
  "bn.running_var": tf.tensor1d([4])
})
const x = () => tf.tensor4d([1, 2, 3, 6], [1, 2, 2, 1])

describe("batchNorm", () => {
  it("normalises by the batch in training and records its mean and unbiased variance", () => {
    const statistics = new BatchStatistics()
    const y = batchNorm(weights(), norm, x(), { kind: "training", statistics })
    // mean 3, squares 4 + 1 + 0 + 9 = 14: biased variance 3.5, unbiased 14 / 3
    const expected = [1, 2, 3, 6].map((value) => (2 * (value - 3)) / Math.sqrt(3.5 + 1e-5) + 1)
    for (const [index, value] of y.dataSync().entries()) assert.approximately(value, expected[index]!, 1e-5)
    const taken = statistics.take().map(([name, value]) => [name, value.dataSync()[0]] as const)
    assert.deepStrictEqual(
      taken.map(([name]) => name),
      ["bn.running_mean", "bn.running_var"]
    )
    assert.approximately(taken[0]![1]!, 3, 1e-6)
    assert.approximately(taken[1]![1]!, 14 / 3, 1e-5)
    assert.deepStrictEqual(statistics.take(), [])
  })

  it("normalises by the running statistics in evaluation", () => {
    const y = batchNorm(weights(), norm, x(), evaluation)
    const expected = [1, 2, 3, 6].map((value) => (2 * (value - 10)) / Math.sqrt(4 + 1e-5) + 1)
    for (const [index, value] of y.dataSync().entries()) assert.approximately(value, expected[index]!, 1e-5)
  })

  it("normalises by the running statistics in training where those are frozen, and records nothing", () => {
    const statistics = new BatchStatistics()
    const mode = { kind: "training", statistics, frozen: (name: string) => name.startsWith("bn.") } as const
    const y = batchNorm(weights(), norm, x(), mode)
    assert.deepStrictEqual(y.dataSync(), batchNorm(weights(), norm, x(), evaluation).dataSync())
    assert.deepStrictEqual(statistics.take(), [])
    const other = { ...mode, frozen: (name: string) => name === "bn.weight" }
    batchNorm(weights(), norm, x(), other)
    assert.lengthOf(statistics.take(), 2)
  })

  it("moves running statistics by a tenth of the difference", () => {
    assert.approximately(movedStatistic(tf.scalar(10), tf.scalar(3)).dataSync()[0]!, 9.3, 1e-6)
  })

  it("refuses to record one statistic twice in a step", () => {
    const statistics = new BatchStatistics()
    statistics.record("bn.running_mean", tf.scalar(1))
    assert.throws(() => statistics.record("bn.running_mean", tf.scalar(1)), /recorded twice/)
  })
})
