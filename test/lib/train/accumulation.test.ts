/**
 * Goal: a batch taken in parts trains as the whole batch does. Method: networks without statistics of
 * batches, on the toy dataset, on both runtimes; one with them, for what is promised there.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { classificationBatches } from "../../../lib/data/batches.ts"
import { initializeWeights } from "../../../lib/nn/initializers.ts"
import type { WeightSpec } from "../../../lib/nn/Weights.ts"
import { RandomStream } from "../../../lib/tensor/random.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { beginning, decodeResumePoint, encodeResumePoint } from "../../../lib/train/ResumePoint.ts"
import { train } from "../../../lib/train/Trainer.ts"
import { microBatchSizeOf, TrainingParams } from "../../../lib/train/TrainingParams.ts"
import type { ClassificationTask } from "../../../lib/train/tasks/classification.ts"
import { toyDataset, toyTraining } from "../../suites/trainer.ts"
import { runtimes } from "../../support/runtimes.ts"

const specs: ReadonlyArray<WeightSpec> = [
  { name: "hidden.weight", shape: [64, 8], role: "kernel" },
  { name: "hidden.bias", shape: [8], role: "bias", fanIn: 64 },
  { name: "fc.weight", shape: [8, 2], role: "kernel" },
  { name: "fc.bias", shape: [2], role: "bias", fanIn: 8 }
]

/** A perceptron: nothing in it depends on which examples come together. */
const task: ClassificationTask = {
  weights: specs,
  forward: (weights, { images, targets }) => {
    const pixels = tf.reshape(images, [-1, 64])
    const hidden = tf.tanh(tf.add(tf.matMul(pixels, weights["hidden.weight"]!), weights["hidden.bias"]!))
    const logits = tf.add(tf.matMul(hidden as tf.Tensor2D, weights["fc.weight"]!), weights["fc.bias"]!)
    return { loss: tf.losses.softmaxCrossEntropy(targets, logits), outputs: { logits } }
  },
  measure: () => ({})
}

const normalization = { mean: [0.5], std: [0.25] }

const batchesOf = (params: TrainingParams) =>
  classificationBatches({
    dataset: toyDataset,
    normalization,
    numClasses: 2,
    ...params,
    batchSize: microBatchSizeOf(params)
  })

interface Shift {
  readonly name: string
  readonly index: number
  readonly shift: number
}

/** From the same first weights, one value of them shifted if asked for. */
const trained = (changes: Partial<TrainingParams>, shifted?: Shift) => {
  const params = {
    ...TrainingParams.make({ epochs: 3, batchSize: 12, augment: { pad: 1, flip: true } }),
    ...changes
  }
  const start = beginning(initializeWeights(specs, "torch-default", RandomStream.make(3)), specs)
  if (shifted) start.weights[shifted.name]!.values[shifted.index]! += shifted.shift
  return Effect.map(train({ task, batches: batchesOf(params), params, start }), ({ state }) => state)
}

const largestDifference = (one: Float32Array, other: Float32Array) =>
  one.reduce((most, value, index) => Math.max(most, Math.abs(value - other[index]!)), 0)

describe("the parts of a batch", () => {
  it("are together the examples of the whole one, in its order, augmented alike", () => {
    const params = TrainingParams.make({ epochs: 1, batchSize: 12, augment: { pad: 1, flip: true } })
    const whole = batchesOf(params)
    const parts = batchesOf({ ...params, microBatchSize: 4 })
    const feeds = (size: number) => ({
      images: new Float32Array(size * 64),
      targets: new Float32Array(size * 2)
    })
    for (const step of [0, 1]) {
      const all = feeds(12)
      whole.fill({ epoch: 1, step }, all)
      for (const part of [0, 1, 2]) {
        const some = feeds(4)
        parts.fill({ epoch: 1, step: step * 3 + part }, some)
        assert.deepStrictEqual(some.images, all.images.slice(part * 4 * 64, (part + 1) * 4 * 64))
        assert.deepStrictEqual(some.targets, all.targets.slice(part * 8, (part + 1) * 8))
      }
    }
  })
})

for (const { layer, name, skipped } of runtimes) {
  describe.skipIf(skipped !== "")(`gradients added up over parts, on the ${name} runtime${skipped}`, () => {
    it.effect.each([
      [4, null],
      [1, null],
      [6, 0.05]
    ] as const)(
      "of %i examples: the weights of whole batches, to rounding (norm at most %s)",
      ([part, norm]) =>
        Effect.gen(function* () {
          const whole = yield* trained({ gradientNormMax: norm })
          const parts = yield* trained({ gradientNormMax: norm, microBatchSize: part })
          for (const { name } of specs) {
            assert.isBelow(largestDifference(parts.weights[name]!.values, whole.weights[name]!.values), 2e-6)
            assert.isBelow(
              largestDifference(parts.velocities[name]!.values, whole.velocities[name]!.values),
              2e-6
            )
          }
          assert.strictEqual(parts.history.length, 3)
          for (const [
            epoch,
            {
              learningRate,
              train: { loss }
            }
          ] of parts.history.entries()) {
            assert.strictEqual(learningRate, whole.history[epoch]!.learningRate)
            assert.approximately(loss!, whole.history[epoch]!.train.loss!, 1e-6)
          }
        }).pipe(Effect.provide(layer))
    )

    it.effect("are the slopes of the loss over the whole batch", () =>
      Effect.gen(function* () {
        const still = { epochs: 1, batchSize: 24, warmupEpochs: 0, weightDecay: 0, learningRate: 0 }
        const { velocities } = yield* trained({ ...still, microBatchSize: 4 })
        const lossAt = (name: string, index: number, shift: number) =>
          Effect.map(trained(still, { name, index, shift }), ({ history }) => history[0]!.train.loss!)
        for (const [name, index] of [
          ["hidden.weight", 77],
          ["hidden.bias", 3],
          ["fc.weight", 5],
          ["fc.bias", 1]
        ] as const) {
          const rise = (yield* lossAt(name, index, 0.02)) - (yield* lossAt(name, index, -0.02))
          assert.approximately(velocities[name]!.values[index]!, rise / 0.04, 2e-4, name)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("moves running statistics once a part, as training on batches of that size would", () =>
      Effect.gen(function* () {
        const still = { epochs: 1, learningRate: 0, warmupEpochs: 0 }
        const parts = yield* toyTraining({ ...still, batchSize: 24, microBatchSize: 8 })
        const small = yield* toyTraining({ ...still, batchSize: 8 })
        const { weights } = (yield* train(parts)).state
        assert.deepStrictEqual(weights, (yield* train(small)).state.weights)
        assert.notDeepEqual(weights["bn1.running_mean"], parts.start.weights["bn1.running_mean"])
      }).pipe(Effect.provide(layer))
    )

    it.effect.each([{}, { emaDecay: 0.9, lossScale: "dynamic" }] as const)(
      "stops between two parts as if the update had not begun, and goes on alike: %j",
      (changes) =>
        Effect.gen(function* () {
          const toy = yield* toyTraining({ batchSize: 12, microBatchSize: 4, epochs: 2, ...changes })
          const whole = encodeResumePoint((yield* train(toy)).state)
          for (const parts of [1, 5, 8]) {
            let asked = 0
            const stopRequested = Effect.sync(() => asked++ === parts)
            const { state, status } = yield* train({ ...toy, stopRequested })
            assert.strictEqual(status, "stopped")
            assert.strictEqual(state.epoch * 2 + state.step, Math.floor(parts / 3))
            const start = yield* decodeResumePoint(encodeResumePoint(state), toy.classifier.weights)
            assert.deepStrictEqual(encodeResumePoint((yield* train({ ...toy, start })).state), whole)
          }
        }).pipe(Effect.provide(layer))
    )
  })
}
