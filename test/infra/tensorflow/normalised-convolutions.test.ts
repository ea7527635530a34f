/** Convolutions are run with the normalisation that follows them, but for those whose gradient is taken. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { StepProfile } from "../../../infra/tensorflow/profile/StepProfile.ts"
import { batchNormInference } from "../../../lib/tensor/batch-norm.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { kernels, native, nativeWith } from "../../support/runtimes.ts"

const skipped = native.skipped !== "" || kernels.kind !== "compiled"

const normalised = (y: tf.Tensor4D): tf.Tensor4D => {
  const [ones, zeros] = [tf.ones([16]) as tf.Tensor1D, tf.zeros([16]) as tf.Tensor1D]
  const statistics = { mean: zeros, variance: ones }
  return batchNormInference(y, ones, zeros, statistics, 1e-3, { activation: "relu" })
}

const filter = (rows: number, outputs: number) => tf.fill([rows, rows, 16, outputs], 0.1) as tf.Tensor4D

/** A dense convolution and a depthwise one, each normalised. */
const network = (x: tf.Tensor): tf.Tensor =>
  normalised(
    tf.depthwiseConv2d(
      normalised(tf.conv2d(x as tf.Tensor4D, filter(1, 16), 1, "same")),
      filter(3, 1),
      1,
      "same"
    )
  )

type Steps = (x: tf.Tensor) => { readonly [name: string]: tf.Tensor }

/** Which operations of ours a run of the step is made of. */
const operationsOf = (step: Steps) => {
  const profiles: Array<StepProfile> = []
  const profile = { skip: 0, count: 1, take: (taken: StepProfile) => profiles.push(taken) }
  return Effect.gen(function* () {
    const runtime = yield* TensorRuntime
    const inputs = { x: { shape: [1, 8, 8, 16], dtype: "float32" } } as const
    const compiled = yield* runtime.jit(({ x }) => step(x), { inputs, precision: "float32" })
    yield* compiled.run({ x: new Float32Array(1024).fill(1) })
    const operations = profiles.flatMap(({ nodes }) => nodes.map(({ operation }) => operation))
    return operations.filter((name) => /Conv2D|BatchNorm/.test(name)).sort()
  }).pipe(Effect.scoped, Effect.provide(nativeWith({ threads: 1, profile })))
}

const PRECISIONS = ["float32", "bfloat16"] as const

const drawn = (shape: ReadonlyArray<number>, seed: number): tf.Tensor => {
  const size = shape.reduce((product, length) => product * length, 1)
  const values = Float32Array.from({ length: size }, (_, index) => Math.sin((index + 1) * (seed + 0.37)))
  return tf.tensor(values, [...shape])
}

/** By statistics and parameters of its own; variances are positive. */
const normalisedBy = (seed: number, y: tf.Tensor4D, residual?: tf.Tensor4D): tf.Tensor4D => {
  const drawing = (at: number) => drawn([16], 10 * seed + at) as tf.Tensor1D
  const statistics = { mean: drawing(1), variance: tf.add(drawing(2), 1.5) as tf.Tensor1D }
  const tail = { activation: "relu6", residual } as const
  return batchNormInference(y, drawing(3), drawing(4), statistics, seed / 100, tail)
}

/** Depthwise and pointwise, each normalised; `between` sees what passes from the one to the other. */
const separable = (x: tf.Tensor4D, hasResidual: boolean, between: (half: tf.Tensor4D) => tf.Tensor4D) => {
  const [depthwise, pointwise] = [drawn([3, 3, 16, 1], 1), drawn([1, 1, 16, 16], 2)]
  const half = normalisedBy(1, tf.depthwiseConv2d(x, depthwise as tf.Tensor4D, 1, "same"))
  const z = tf.conv2d(between(half), pointwise as tf.Tensor4D, 1, "same")
  return normalisedBy(2, z, hasResidual ? x : undefined)
}

describe(`normalised convolutions${native.skipped}`, () => {
  it.effect.skipIf(skipped)("are one operation in a forward pass, a frozen teacher's among others", () =>
    Effect.gen(function* () {
      const together = ["DistilleryConv2DNorm", "DistilleryDepthwiseConv2DNorm"]
      expect(yield* operationsOf((x) => ({ z: network(x) }))).toEqual(together)
      const teacher = tf.customGrad((x) => ({
        value: network(x as tf.Tensor),
        gradFunc: () => tf.zerosLike(x as tf.Tensor)
      }))
      const step: Steps = (x) => ({ dx: tf.grad((x) => tf.sum(tf.mul(teacher(x), x)))(x) })
      expect(yield* operationsOf(step)).toEqual(together)
    })
  )

  it.effect.skipIf(skipped)(
    "are two where the gradient reads what lies between, and nothing runs twice",
    () =>
      Effect.gen(function* () {
        expect(yield* operationsOf((x) => ({ dx: tf.grad((x) => tf.sum(network(x)))(x) }))).toEqual([
          "DistilleryBatchNormInference",
          "DistilleryBatchNormInferenceGradient",
          "DistilleryBatchNormInferenceGradient",
          "DistilleryConv2D",
          "DistilleryConv2DInputGradient",
          "DistilleryDepthwiseConv2D",
          "DistilleryDepthwiseConv2DInputGradient"
        ])
      })
  )

  it.effect.skipIf(skipped)("are one operation where a depthwise and a pointwise one follow each other", () =>
    Effect.gen(function* () {
      const image = (x: tf.Tensor) => x as tf.Tensor4D
      const same = (half: tf.Tensor4D) => half
      const step: Steps = (x) => ({ y: separable(image(x), false, same), z: separable(image(x), true, same) })
      const names = ["DistillerySeparableConv2DNorm", "DistillerySeparableConv2DNormResidual"]
      expect(yield* operationsOf(step)).toEqual(names)
    })
  )

  for (const precision of PRECISIONS)
    it.effect.skipIf(skipped)(`give in one operation the bits that they give in two, ${precision}`, () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const inputs = { x: { shape: [2, 9, 9, 16], dtype: "float32" } } as const
        const run = (hasResidual: boolean, between: (half: tf.Tensor4D) => tf.Tensor4D) =>
          Effect.gen(function* () {
            const step = (x: tf.Tensor) => ({ z: separable(x as tf.Tensor4D, hasResidual, between) })
            const compiled = yield* runtime.jit(({ x }) => step(x), { inputs, precision })
            return (yield* compiled.run({ x: Float32Array.from({ length: 2592 }, (_, i) => Math.cos(i)) })).z
          })
        for (const hasResidual of [false, true]) {
          const apart = yield* run(hasResidual, (half) => tf.mul(half, 1))
          expect(yield* run(hasResidual, (half) => half)).toEqual(apart)
        }
      }).pipe(Effect.scoped, Effect.provide(nativeWith({ threads: 2 })))
    )
})
