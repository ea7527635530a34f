/**
 * What every task must keep: a finite loss that training can bring down on eight examples it sees again and
 * again.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { layerPortable } from "../../infra/tensorflow/PortableRuntime.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { BatchStatistics } from "../../lib/nn/Mode.ts"
import { isTrainable } from "../../lib/nn/Weights.ts"
import { type Feeds, type TensorError, TensorRuntime, type TensorSpec } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { beginning } from "../../lib/train/ResumePoint.ts"
import type { Task } from "../../lib/train/Task.ts"
import { trainStep } from "../../lib/train/train-step.ts"
import { makeVariables } from "../../lib/train/variables.ts"

export interface TaskCase<I extends string, O extends string> {
  readonly task: Task<I, O>
  readonly inputs: { readonly [K in I]: TensorSpec }
  /** Eight examples. */
  readonly feeds: Feeds<I>
  /** What overfitting must reach: a loss, and measures of the last step. */
  readonly lossBelow: number
  readonly measures: { readonly [measure: string]: number }
}

export const taskSuite = <I extends string, O extends string>(
  name: string,
  make: Effect.Effect<TaskCase<I, O>, TensorError, TensorRuntime | Scope.Scope>
) =>
  describe(name, () => {
    const prepared = Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const made = yield* make
      const { weights: specs } = made.task
      const start = beginning(
        initializeWeights(specs, "torch-default", RandomStream.make(4, "weights")),
        specs
      )
      const weights = yield* makeVariables(start.weights)
      const velocities = yield* makeVariables(start.velocities)
      return { ...made, runtime, weights, velocities }
    })

    it.effect("overfits eight examples, and leaves no tensor behind", () =>
      Effect.gen(function* () {
        const { feeds, inputs, lossBelow, measures, runtime, task, velocities, weights } = yield* prepared
        const update = trainStep({ task, weights, velocities, optimizer: { momentum: 0.9, weightDecay: 0 } })
        const step = yield* runtime.jit<I | "learningRate", O | "loss">(
          (all) => update(all, all.learningRate as tf.Scalar),
          {
            inputs: { ...inputs, learningRate: { shape: [], dtype: "float32" } } as never,
            precision: "float32"
          }
        )
        const run = step.run({ ...feeds, learningRate: Float32Array.of(0.05) } as never)
        const first = (yield* run).loss[0]!
        const tensors = tf.memory().numTensors
        let last = first
        for (let count = 0; count < 60; count++) last = (yield* run).loss[0]!
        assert.isTrue(Number.isFinite(first))
        assert.isBelow(last, lossBelow, `from ${first}`)
        for (const [measure, least] of Object.entries(measures)) {
          const { total, weight } = task.measure((yield* run) as never, feeds)[measure]!
          assert.isAtLeast(total / weight, least, measure)
        }
        assert.strictEqual(tf.memory().numTensors, tensors)
      }).pipe(Effect.scoped, Effect.provide(layerPortable))
    )

    it.effect("reaches every trainable weight", () =>
      Effect.gen(function* () {
        const { feeds, inputs, task, weights } = yield* prepared
        tf.tidy(() => {
          const tensors = Object.fromEntries(
            Object.entries<TensorSpec>(inputs).map(([input, { shape, dtype }]) => [
              input,
              tf.tensor(feeds[input as I], [...shape], dtype)
            ])
          ) as { readonly [K in I]: tf.Tensor }
          const names = task.weights.filter(isTrainable).map((spec) => spec.name)
          const statistics = new BatchStatistics()
          const { grads } = tf.variableGrads(
            () => task.forward(weights, tensors, { kind: "training", statistics }).loss,
            names.map((weight) => weights[weight]!)
          )
          statistics.take()
          for (const weight of names) {
            const gradient = grads[weights[weight]!.name]!
            assert.isAbove(tf.max(tf.abs(gradient)).dataSync()[0]!, 0, `no gradient reaches ${weight}`)
          }
        })
      }).pipe(Effect.scoped, Effect.provide(layerPortable))
    )
  })
