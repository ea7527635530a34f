/** Averages of weights: what they are, who sees them, and that they survive a stop. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Weights } from "../../../lib/nn/Weights.ts"
import { decodeResumePoint, encodeResumePoint, type ResumePoint } from "../../../lib/train/ResumePoint.ts"
import { train } from "../../../lib/train/Trainer.ts"
import { makeVariables } from "../../../lib/train/variables.ts"
import { toyTraining } from "../../suites/trainer.ts"
import { runtimes } from "../../support/runtimes.ts"

const decay = 0.8

/** The states after each of six updates. */
const trained = Effect.fnUntraced(function* (changes: Parameters<typeof toyTraining>[0]) {
  const toy = yield* toyTraining({ epochs: 2, ...changes })
  const states: Array<ResumePoint> = []
  const save = (state: ResumePoint) => Effect.sync(() => void states.push(state))
  yield* train({ ...toy, save, saveIntervalMillis: 0 })
  return { toy, states }
})

const movedBy = (averages: Weights, weights: Weights): Weights =>
  Object.fromEntries(
    Object.entries(averages).map(([name, { shape, values }]) => [
      name,
      { shape, values: values.map((value, at) => value + (1 - decay) * (weights[name]!.values[at]! - value)) }
    ])
  )

for (const { layer, name, skipped } of runtimes) {
  describe.skipIf(skipped !== "")(`averages of weights on the ${name} runtime${skipped}`, () => {
    it.effect("move towards the weights, statistics too, and leave the weights as they are", () =>
      Effect.gen(function* () {
        const { states, toy } = yield* trained({ emaDecay: decay })
        const alone = yield* trained({})
        assert.lengthOf(states, 6)
        let expected = toy.start.weights
        for (const [step, { averages, weights }] of states.entries()) {
          assert.deepStrictEqual(weights, alone.states[step]!.weights)
          expected = movedBy(expected, weights)
          for (const [weight, { values }] of Object.entries(averages!)) {
            const apart = values.map((value, at) => Math.abs(value - expected[weight]!.values[at]!))
            assert.isBelow(Math.max(...apart), 1e-6, `${weight} after step ${step + 1}`)
          }
        }
        const { averages, history } = states.at(-1)!
        const validate = yield* toy.validation(yield* makeVariables(averages!))
        assert.deepStrictEqual(history.at(-1)!.validation, yield* validate)
        assert.notDeepEqual(history.at(-1)!.validation, alone.states.at(-1)!.history.at(-1)!.validation)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("with micro-batches and a scaled loss: the same bytes after a stop within an epoch", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ emaDecay: decay, microBatchSize: 4, lossScale: 1024 })
        const expected = encodeResumePoint((yield* train(toy)).state)
        let asked = 0
        const stopRequested = Effect.sync(() => asked++ >= 8)
        const stopped = encodeResumePoint((yield* train({ ...toy, stopRequested })).state)
        const start = yield* decodeResumePoint(stopped, toy.classifier.weights)
        assert.deepStrictEqual([start.epoch, start.step], [1, 1])
        assert.deepStrictEqual(encodeResumePoint((yield* train({ ...toy, start })).state), expected)
      }).pipe(Effect.provide(layer))
    )
  })
}
