/** Filters are kept as our kernels want them while variables stand still, and never longer. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { batchNormInference } from "../../../lib/tensor/batch-norm.ts"
import { type Precision, TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { kernels, native } from "../../support/runtimes.ts"

const skipped = native.skipped !== "" || kernels.kind !== "compiled"

const noise = (size: number, seed: number) =>
  Float32Array.from({ length: size }, (_, index) => Math.sin((index + 1) * (seed + 0.37)))

interface Case {
  readonly name: string
  readonly filter: readonly [number, number, number, number]
  readonly precision: Precision
  /** Whether the convolution is normalised, and is so after a depthwise one that is, too. */
  readonly norm?: "once" | "twice"
}

/** By Winograd's filtering and directly; the second filter is computed, not a variable. */
const cases: ReadonlyArray<Case> = [
  { name: "Winograd's, 3x3", filter: [3, 3, 16, 16], precision: "float32" },
  { name: "direct, 3x3 with bfloat16", filter: [3, 3, 16, 16], precision: "bfloat16" },
  { name: "pointwise", filter: [1, 1, 16, 40], precision: "float32" },
  { name: "pointwise and normalised", filter: [1, 1, 16, 40], precision: "float32", norm: "once" },
  { name: "pointwise after depthwise", filter: [1, 1, 16, 40], precision: "float32", norm: "twice" }
]

const normalised = (y: tf.Tensor4D) => {
  const channels: [number] = [y.shape[3]]
  const [ones, zeros] = [tf.ones(channels) as tf.Tensor1D, tf.zeros(channels) as tf.Tensor1D]
  return batchNormInference(y, ones, zeros, { mean: zeros, variance: ones }, 1e-3)
}

const depthwise = (image: tf.Tensor4D) =>
  normalised(tf.depthwiseConv2d(image, tf.fill([3, 3, 16, 1], 0.1) as tf.Tensor4D, 1, "same"))

describe(`kept filters${native.skipped}`, () => {
  for (const kase of cases)
    it.effect.skipIf(skipped)(`${kase.name}: every run sees what the variable holds`, () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const size = kase.filter.reduce<number>((product, length) => product * length, 1)
        const filter = tf.variable(tf.tensor(noise(size, 1), [...kase.filter]))
        const inputs = { x: { shape: [2, 14, 14, 16], dtype: "float32" } } as const
        const options = { inputs, precision: kase.precision }
        const x = noise(2 * 14 * 14 * 16, 3)
        const convolved = (image: tf.Tensor, kernel: tf.Tensor) => {
          const x = kase.norm === "twice" ? depthwise(image as tf.Tensor4D) : (image as tf.Tensor4D)
          const y = tf.conv2d(x, kernel as tf.Tensor4D, 1, "same")
          return kase.norm === undefined ? y : normalised(y)
        }
        const kept = yield* runtime.jit(({ x }) => ({ y: convolved(x, filter) }), options)
        // The same sum by a filter that is no variable: it is made ready in every run.
        const fresh = yield* runtime.jit(({ x }) => ({ y: convolved(x, tf.add(filter, 0)) }), options)
        const halve = yield* runtime.jit(({ x }) => {
          filter.assign(tf.mul(filter, 0.5))
          return { first: tf.slice(tf.reshape(x, [-1]), 0, 1) }
        }, options)
        const expectSame = Effect.gen(function* () {
          const wanted = yield* fresh.run({ x })
          // Made in scratch, made to be kept, kept, kept.
          for (let run = 0; run < 4; run++) expect((yield* kept.run({ x })).y).toEqual(wanted.y)
          return wanted.y[0]!
        })
        const first = yield* expectSame
        yield* halve.run({ x })
        expect(yield* expectSame).toBeCloseTo(first / 2, 2)
        filter.assign(tf.tensor(noise(size, 2), [...kase.filter]))
        expect(yield* expectSame).not.toBeCloseTo(first, 2)
        yield* halve.run({ x })
        yield* expectSame
      }).pipe(Effect.scoped, Effect.provide(native.layer))
    )
})
