/**
 * What every network for dense prediction must keep on every runtime: the promised shapes at odd sizes, a
 * gradient for every trainable weight, frozen parts that stay, and the same outputs on all runtimes.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { batchNormNames, withFrozen } from "../../lib/nn/frozen.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { BatchStatistics, evaluation, type Mode, training } from "../../lib/nn/Mode.ts"
import { isTrainable, type WeightSpec, type WeightTensors } from "../../lib/nn/Weights.ts"
import { TensorRuntime, type TensorSpec } from "../../lib/tensor/Runtime.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { beginning } from "../../lib/train/ResumePoint.ts"
import type { Task } from "../../lib/train/Task.ts"
import { trainStep } from "../../lib/train/train-step.ts"
import { makeVariables, readVariables } from "../../lib/train/variables.ts"
import { native, runtimes } from "../support/runtimes.ts"

type Outputs = { readonly [name: string]: tf.Tensor }
type Size = readonly [height: number, width: number]

export interface NetworkCase {
  readonly weights: ReadonlyArray<WeightSpec>
  readonly imageChannels: number
  readonly apply: (weights: WeightTensors, images: tf.Tensor4D, mode: Mode) => Outputs
  /** Of the outputs for a batch of two, by name. */
  readonly shapes: (height: number, width: number) => { readonly [name: string]: ReadonlyArray<number> }
  /** Small ones, even and odd. */
  readonly sizes: ReadonlyArray<Size>
  /** Prefixes of weights with a batch norm among them. */
  readonly frozen: ReadonlyArray<string>
}

const BATCH = 2

const imagesOf = (network: NetworkCase, [height, width]: Size) => {
  const random = RandomStream.make(7, "network suite")
  const length = BATCH * height * width * network.imageChannels
  const spec: TensorSpec = { shape: [BATCH, height, width, network.imageChannels], dtype: "float32" }
  return { spec, values: Float32Array.from({ length }, () => random.gaussian()) }
}

const freshWeights = (specs: ReadonlyArray<WeightSpec>) =>
  initializeWeights(specs, "he-normal-fan-out", RandomStream.make(3, "weights"))

const sumOfSquares = (outputs: Outputs): tf.Scalar =>
  tf.addN(Object.values(outputs).map((output) => tf.mean(tf.square(output)))) as tf.Scalar

/** The outputs in evaluation, with the shapes they have. */
const evaluated = Effect.fn("evaluated")(function* (network: NetworkCase, size: Size) {
  const runtime = yield* TensorRuntime
  const weights = yield* makeVariables(freshWeights(network.weights))
  const { spec, values } = imagesOf(network, size)
  const shapes: Record<string, ReadonlyArray<number>> = {}
  const compiled = yield* runtime.jit(
    ({ images }) => {
      const outputs = network.apply(weights, images as tf.Tensor4D, evaluation)
      for (const [name, output] of Object.entries(outputs)) shapes[name] = output.shape
      return outputs
    },
    { inputs: { images: spec }, precision: "float32" }
  )
  return { outputs: yield* compiled.run({ images: values }), shapes }
}, Effect.scoped)

/** The largest entry of every trainable weight's gradient, and the names of the statistics recorded. */
const gradients = Effect.fn("gradients")(function* (network: NetworkCase) {
  const runtime = yield* TensorRuntime
  const weights = yield* makeVariables(freshWeights(network.weights))
  const { spec, values } = imagesOf(network, network.sizes.at(-1)!)
  const trainable = network.weights.filter(isTrainable).map(({ name }) => name)
  let recorded: ReadonlyArray<string> = []
  const compiled = yield* runtime.jit(
    ({ images }): Outputs => {
      const statistics = new BatchStatistics()
      const mode = training(network.weights, statistics)
      const { grads } = tf.variableGrads(
        () => sumOfSquares(network.apply(weights, images as tf.Tensor4D, mode)),
        trainable.map((name) => weights[name]!)
      )
      recorded = statistics.take().map(([name]) => name)
      return Object.fromEntries(trainable.map((name) => [name, tf.max(tf.abs(grads[weights[name]!.name]!))]))
    },
    { inputs: { images: spec }, precision: "float32" }
  )
  return { largest: yield* compiled.run({ images: values }), recorded }
}, Effect.scoped)

/** Weights before and after one update. */
const updated = Effect.fn("updated")(function* (network: NetworkCase, specs: ReadonlyArray<WeightSpec>) {
  const runtime = yield* TensorRuntime
  const start = beginning(freshWeights(specs), specs)
  const weights = yield* makeVariables(start.weights)
  const velocities = yield* makeVariables(start.velocities)
  const task: Task<"images", never> = {
    weights: specs,
    forward: (tensors, { images }, mode) => ({
      loss: sumOfSquares(network.apply(tensors, images as tf.Tensor4D, mode)),
      outputs: {}
    }),
    measure: () => ({})
  }
  const update = trainStep({ task, weights, velocities, optimizer: { momentum: 0.9, weightDecay: 1e-2 } })
  const { spec, values } = imagesOf(network, network.sizes[0]!)
  const step = yield* runtime.jit(({ images }) => update({ images }, tf.scalar(0.1)), {
    inputs: { images: spec },
    precision: "float32"
  })
  yield* step.run({ images: values })
  return { before: start.weights, after: yield* readVariables(weights) }
}, Effect.scoped)

export const networkSuite = <E>(name: string, make: Effect.Effect<NetworkCase, E>) => {
  for (const { name: runtime, skipped, layer } of runtimes) {
    const either = it.effect.skipIf(skipped !== "")

    describe(`${name} on the ${runtime} runtime${skipped}`, () => {
      either("gives outputs of the promised shapes, on even and odd sizes", () =>
        Effect.gen(function* () {
          const network = yield* make
          for (const size of network.sizes) {
            assert.deepStrictEqual((yield* evaluated(network, size)).shapes, network.shapes(...size))
          }
        }).pipe(Effect.provide(layer))
      )

      either("sends a gradient to every trainable weight and a statistic to every running one", () =>
        Effect.gen(function* () {
          const network = yield* make
          const { largest, recorded } = yield* gradients(network)
          for (const [weight, [value]] of Object.entries(largest)) {
            assert.isAbove(value!, 0, `no gradient reaches ${weight}`)
          }
          const running = network.weights.filter((spec) => !isTrainable(spec)).map((spec) => spec.name)
          assert.sameMembers([...recorded], running)
        }).pipe(Effect.provide(layer))
      )

      either("leaves frozen weights and their statistics as they are, and moves all others", () =>
        Effect.gen(function* () {
          const network = yield* make
          const specs = yield* withFrozen(network.weights, network.frozen)
          const { after, before } = yield* updated(network, specs)
          const frozen = specs.filter((spec) => spec.frozen === true)
          assert.isTrue(frozen.some((spec) => spec.role === "running-variance"))
          for (const spec of specs) {
            const moved = after[spec.name]!.values.some((value, i) => value !== before[spec.name]!.values[i])
            assert.strictEqual(moved, spec.frozen !== true, spec.name)
          }
        }).pipe(Effect.provide(layer))
      )

      either("trains with all normalisations frozen", () =>
        Effect.gen(function* () {
          const network = yield* make
          const specs = yield* withFrozen(network.weights, batchNormNames(network.weights))
          const { largest, recorded } = yield* gradients({ ...network, weights: specs })
          assert.deepStrictEqual(recorded, [])
          for (const [weight, [value]] of Object.entries(largest)) assert.isAbove(value!, 0, weight)
        }).pipe(Effect.provide(layer))
      )
    })
  }

  it.effect.skipIf(native.skipped !== "")(
    `${name} gives the same outputs on all runtimes${native.skipped}`,
    () =>
      Effect.gen(function* () {
        const network = yield* make
        const size = network.sizes.at(-1)!
        const [first, second] = yield* Effect.forEach(runtimes, ({ layer }) =>
          evaluated(network, size).pipe(Effect.provide(layer))
        )
        for (const [output, values] of Object.entries(first!.outputs)) {
          const others = second!.outputs[output]!
          const scale = Math.max(...Array.from(values, Math.abs))
          assert.isAbove(scale, 0)
          for (const [i, value] of values.entries()) assert.approximately(value, others[i]!, 1e-4 * scale)
        }
      })
  )
}
