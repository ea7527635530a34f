import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { layerPortable } from "../../../infra/tensorflow/PortableRuntime.ts"
import type { Progress } from "../../../lib/train/Progress.ts"
import { encodeResumePoint, type ResumePoint } from "../../../lib/train/ResumePoint.ts"
import { type SaveReason, train } from "../../../lib/train/Trainer.ts"
import type { TrainingParams } from "../../../lib/train/TrainingParams.ts"
import { toyTraining, trainerSuite } from "../../suites/trainer.ts"

trainerSuite("the Trainer on the portable runtime", layerPortable, "float32")

describe("the Trainer", () => {
  it.effect("saves after every epoch; the last state saved is the one it returns", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining()
      const saved: Array<[SaveReason, ResumePoint]> = []
      const { state } = yield* train({
        ...toy,
        save: (point, reason) => Effect.sync(() => void saved.push([reason, point]))
      })
      assert.deepStrictEqual(
        saved.map(([reason, { epoch, step }]) => [reason, epoch, step]),
        [
          ["epoch", 1, 0],
          ["epoch", 2, 0],
          ["epoch", 3, 0]
        ]
      )
      assert.deepStrictEqual(encodeResumePoint(saved[2]![1]), encodeResumePoint(state))
    }).pipe(Effect.provide(layerPortable))
  )

  it.effect("saves on the way where an interval is asked for, without changing the result", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ epochs: 1 })
      const steps: Array<number> = []
      const { state } = yield* train({
        ...toy,
        saveIntervalMillis: 0,
        save: (point, reason) => Effect.sync(() => void (reason === "interval" && steps.push(point.step)))
      })
      assert.deepStrictEqual(steps, [1, 2])
      assert.deepStrictEqual(encodeResumePoint(state), encodeResumePoint((yield* train(toy)).state))
    }).pipe(Effect.provide(layerPortable))
  )

  it.effect("does nothing when every epoch is done", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ epochs: 1 })
      const { state } = yield* train(toy)
      const again = yield* train({ ...toy, start: state })
      assert.deepStrictEqual(encodeResumePoint(again.state), encodeResumePoint(state))
    }).pipe(Effect.provide(layerPortable))
  )
})

describe("what is beyond the usual recipe", () => {
  it.effect("changes no bit where it is written out with its usual values", () =>
    Effect.gen(function* () {
      const usual: Partial<TrainingParams> = {
        microBatchSize: null,
        baseBatchSize: null,
        lrForm: "paper",
        weightDecayOn: "kernels",
        optimizer: "nag",
        emaDecay: null,
        lossScale: "dynamic"
      }
      const { state } = yield* train(yield* toyTraining())
      const writtenOut = yield* train(yield* toyTraining(usual))
      assert.deepStrictEqual(encodeResumePoint(writtenOut.state), encodeResumePoint(state))
      const whole = yield* train(yield* toyTraining({ microBatchSize: 8, baseBatchSize: 8 }))
      assert.deepStrictEqual(encodeResumePoint(whole.state), encodeResumePoint(state))
    }).pipe(Effect.provide(layerPortable))
  )

  it.effect.each([
    { weightDecayOn: "all" },
    { baseBatchSize: 16 },
    { lrForm: "gluoncv" },
    { optimizer: "sgd" },
    { optimizer: { kind: "muon", rateFactor: 0.2, momentum: 0.95, weightDecay: 0 } },
    { microBatchSize: 4 }
  ] as const)("acts: %j", (changes) =>
    Effect.gen(function* () {
      const { weights } = (yield* train(yield* toyTraining({ epochs: 1 }))).state
      const changed = yield* train(yield* toyTraining({ epochs: 1, ...changes }))
      assert.notDeepEqual(changed.state.weights, weights)
    }).pipe(Effect.provide(layerPortable))
  )
})

describe("whoever watches the Trainer", () => {
  it.live("is told its progress", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ epochs: 100 })
      const told: Array<Progress> = []
      yield* train({
        ...toy,
        validation: undefined,
        onProgress: (progress) => Effect.sync(() => void told.push(progress)),
        stopRequested: Effect.sync(() => told.length === 2)
      })
      const [first, second] = told
      assert.isAbove(second!.epoch * 3 + second!.step, first!.epoch * 3 + first!.step)
      assert.deepStrictEqual([first!.epochs, first!.steps], [100, 3])
      assert.isAbove(first!.imagesPerSecond, 0)
      assert.isTrue(Number.isFinite(first!.loss))
    }).pipe(Effect.provide(layerPortable))
  )

  it.effect("is told the parts of a step, where it has some", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ microBatchSize: 2 })
      const told: Array<readonly number[]> = []
      yield* train({
        ...toy,
        onProgress: ({ part, parts, step }) => Effect.sync(() => void told.push([step, part, parts])),
        stopRequested: Effect.map(TestClock.adjust("1 second"), () => told.length === 5)
      })
      assert.deepStrictEqual(told, [
        [0, 1, 4],
        [0, 2, 4],
        [0, 3, 4],
        [1, 0, 4],
        [1, 1, 4]
      ])
    }).pipe(Effect.provide(layerPortable))
  )

  it.live("is told the scale of the loss, and the steps that it made the optimizer skip", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ epochs: 100, lossScale: 2 ** 24 })
      const told: Array<Progress> = []
      yield* train({
        ...toy,
        validation: undefined,
        batches: {
          ...toy.batches,
          fill: (position, feeds) => {
            toy.batches.fill(position, feeds)
            if (position.step === 0) feeds.targets.fill(1e33)
          }
        },
        onProgress: (progress) => Effect.sync(() => void told.push(progress)),
        stopRequested: Effect.sync(() => told.length === 2)
      })
      assert.deepStrictEqual(told[1]!.scaling, { lossScale: 2 ** 24, skippedSteps: 1 })
    }).pipe(Effect.provide(layerPortable))
  )

  it.effect("hears of data that do not fill one batch", () =>
    Effect.gen(function* () {
      const toy = yield* toyTraining({ batchSize: 27 })
      const error = yield* Effect.flip(train(toy))
      assert.strictEqual(error._tag, "TooFewExamples")
      assert.match(error.message, /has 26 examples, fewer than one batch \(27\): set batchSize to 26/)
    }).pipe(Effect.provide(layerPortable))
  )
})
