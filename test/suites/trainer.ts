/**
 * What training must keep on every runtime: the same bytes from the same params, however often it was
 * stopped.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Layer, Ref } from "effect"
import { classificationBatches, type LabelledImages } from "../../lib/data/batches.ts"
import { loadClassifier } from "../../lib/models/Classifier.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import type { Precision, TensorRuntime } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { classifierValidation } from "../../lib/train/evaluate-classifier.ts"
import { stochasticDepthOf } from "../../lib/train/fit-classifier.ts"
import { beginning, decodeResumePoint, encodeResumePoint } from "../../lib/train/ResumePoint.ts"
import { type TrainOptions, train } from "../../lib/train/Trainer.ts"
import { microBatchSizeOf, TrainingParams } from "../../lib/train/TrainingParams.ts"
import { classificationTask } from "../../lib/train/tasks/classification.ts"

/** 26 images of 8x8 in two classes, told apart by which half is brighter; 3 steps of 8 an epoch. */
const random = RandomStream.make(6, "trainer suite")
export const toyDataset: LabelledImages = {
  images: Uint8Array.from({ length: 26 * 64 }, (_, index) => {
    const bright = Math.floor((index % 64) / 32) === Math.floor(index / 64) % 2
    return random.below(128) + (bright ? 127 : 0)
  }),
  labels: Int32Array.from({ length: 26 }, (_, index) => index % 2),
  height: 8,
  width: 8,
  channels: 1
}
const normalization = { mean: [0.5], std: [0.25] }

/** Options for a ResNet-8 of width 2 on the toy dataset. */
export const toyTraining = (changes: Partial<typeof TrainingParams.Type> = {}) =>
  Effect.map(
    loadClassifier({
      architecture: { family: "resnet-cifar", depth: 8, width: 2, shortcut: "B" },
      imageChannels: 1,
      numClasses: 2
    }),
    (classifier) => {
      const params = {
        ...TrainingParams.make({ epochs: 3, batchSize: 8, augment: { pad: 1, flip: true } }),
        ...changes
      }
      const weights = initializeWeights(
        classifier.weights,
        params.initializer,
        RandomStream.make(params.seed)
      )
      return {
        classifier,
        task: classificationTask(classifier),
        batches: classificationBatches({
          dataset: toyDataset,
          normalization,
          numClasses: 2,
          ...params,
          batchSize: microBatchSizeOf(params),
          depth: stochasticDepthOf(params, classifier)
        }),
        params,
        start: beginning(weights, classifier.weights),
        validation: classifierValidation({ classifier, dataset: toyDataset, normalization, batchSize: 10 })
      }
    }
  )

export type Toy = Effect.Success<ReturnType<typeof toyTraining>>
type Hooks = Partial<TrainOptions<"images" | "targets", "logits", never, never>>

/** Trains until the n-th question whether to stop (asked once before every step), through bytes and back. */
const trainUntil = Effect.fnUntraced(function* (
  toy: Toy,
  start: Toy["start"],
  steps: number,
  hooks: Hooks = {}
) {
  const asked = yield* Ref.make(0)
  const stopRequested = Ref.modify(asked, (count) => [count >= steps, count + 1] as const)
  const { state, status } = yield* train({ ...toy, start, stopRequested, ...hooks })
  return { status, state: yield* decodeResumePoint(encodeResumePoint(state), toy.classifier.weights) }
})

export const trainerSuite = (
  name: string,
  layer: Layer.Layer<TensorRuntime, unknown>,
  precision: Precision
) =>
  describe(name, () => {
    it.effect("reaches the same bytes in one go, again, and stopped within an epoch and after one", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ precision })
        const whole = yield* train(toy)
        assert.strictEqual(whole.status, "finished")
        const expected = encodeResumePoint(whole.state)
        assert.deepStrictEqual(encodeResumePoint((yield* train(toy)).state), expected, "a second run")
        for (const steps of [2, 3]) {
          const stopped = yield* trainUntil(toy, toy.start, steps)
          assert.strictEqual(stopped.status, "stopped")
          assert.strictEqual(stopped.state.epoch * 3 + stopped.state.step, steps)
          const resumed = yield* train({ ...toy, start: stopped.state })
          assert.deepStrictEqual(encodeResumePoint(resumed.state), expected, `stopped after ${steps} steps`)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("skips the same blocks when it goes on", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ precision, stochasticDepth: 0.5 })
        const whole = encodeResumePoint((yield* train(toy)).state)
        const plain = yield* train(yield* toyTraining({ precision }))
        assert.notDeepEqual(encodeResumePoint(plain.state), whole)
        const stopped = yield* trainUntil(toy, toy.start, 4)
        const resumed = yield* train({ ...toy, start: stopped.state })
        assert.deepStrictEqual(encodeResumePoint(resumed.state), whole)
      }).pipe(Effect.provide(layer))
    )

    it.effect("sees images of another size in some epochs, and goes on alike", () =>
      Effect.gen(function* () {
        const imageSizes = [
          [0, 4],
          [2, 12]
        ] as const
        const toy = yield* toyTraining({ precision, imageSizes })
        const whole = encodeResumePoint((yield* train(toy)).state)
        const stopped = yield* trainUntil(toy, toy.start, 6)
        const resumed = yield* train({ ...toy, start: stopped.state })
        assert.deepStrictEqual(encodeResumePoint(resumed.state), whole)
        const parts = yield* toyTraining({ precision, imageSizes, microBatchSize: 4, epochs: 1 })
        assert.strictEqual((yield* train(parts)).state.epoch, 1)
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps no tensor from step to step, however long it trains", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ precision, epochs: 70 })
        const seen: Array<readonly [tensors: number, buffers: number]> = []
        const look = Effect.sync(() => {
          const { numTensors, numDataBuffers } = tf.memory()
          seen.push([numTensors, numDataBuffers])
          return false
        })
        yield* train({ ...toy, stopRequested: look, save: () => Effect.void })
        assert.lengthOf(seen, 210)
        assert.deepStrictEqual([...new Set(seen.map(String))], [String(seen[0])])
      }).pipe(Effect.provide(layer))
    )

    it.live("may be interrupted in the middle of a step", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ precision, epochs: 10_000 })
        const running = yield* Effect.forkChild(train(toy))
        yield* Effect.sleep("1 second")
        yield* Fiber.interrupt(running)
      }).pipe(Effect.provide(layer))
    )

    it.effect("learns, and writes what it learned into the history", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ precision, epochs: 8, augment: { pad: 0, flip: false } })
        const { history } = (yield* train(toy)).state
        assert.deepStrictEqual(
          history.map(({ epoch }) => epoch),
          [1, 2, 3, 4, 5, 6, 7, 8]
        )
        assert.isBelow(history.at(-1)!.train.loss!, history[0]!.train.loss! / 2)
        assert.strictEqual(history.at(-1)!.train.top1, 1)
        assert.isAbove(history.at(-1)!.validation.top1!, 0.95)
      }).pipe(Effect.provide(layer))
    )

    it.effect("stops at a loss that is not finite, with the step and the last good epoch", () =>
      Effect.gen(function* () {
        const toy = yield* toyTraining({ precision })
        const batches: typeof toy.batches = {
          ...toy.batches,
          fill: (position, feeds) => {
            toy.batches.fill(position, feeds)
            if (position.epoch === 1 && position.step === 1) feeds.targets[3] = Number.POSITIVE_INFINITY
          }
        }
        const error = yield* Effect.flip(train({ ...toy, batches }))
        assert.strictEqual(error._tag, "DivergedError")
        if (error._tag !== "DivergedError") return
        const { lastGoodEpoch, lossScale, step, what } = error
        assert.deepStrictEqual(
          { lastGoodEpoch, lossScale, step, what },
          {
            ...{ lastGoodEpoch: 1, lossScale: null, step: 5, what: "loss" }
          }
        )
        assert.match(error.message, /step 5 \(learning rate 0\.\d+\); the last good state is that of epoch 1/)
      }).pipe(Effect.provide(layer))
    )
  })
