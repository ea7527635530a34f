/** Filters are kept as our kernels want them while variables stand still, and never longer. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { Graph } from "../../../infra/tensorflow/graph.ts"
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

/** What a tracing makes, and the types of the nodes that it records. */
const recordedBy = <A, E, R>(tracing: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const nodes: Array<string> = []
    const spy = vi.spyOn(Graph.prototype, "node")
    const compiled = yield* Effect.ensuring(
      tracing.pipe(Effect.tap(() => Effect.sync(() => nodes.push(...spy.mock.calls.map(([type]) => type))))),
      Effect.sync(() => spy.mockRestore())
    )
    return { compiled, nodes }
  })

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

  it.effect.skipIf(skipped)("the product of a few rows: every run sees what the variable holds", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const [rows, inputs, outputs] = [3, 40, 50]
      const matrix = tf.variable(tf.tensor(noise(inputs * outputs, 1), [inputs, outputs])) as tf.Tensor2D
      const a = noise(rows * inputs, 2)
      const product = (values: Float32Array) =>
        Float32Array.from({ length: rows * outputs }, (_, at) => {
          const [row, column] = [Math.floor(at / outputs), at % outputs]
          let sum = 0
          for (let k = 0; k < inputs; k++) sum += a[row * inputs + k]! * values[k * outputs + column]!
          return sum
        })
      const options = {
        inputs: { a: { shape: [rows, inputs], dtype: "float32" } },
        precision: "float32"
      } as const
      const { nodes, compiled } = yield* recordedBy(
        runtime.jit(({ a }) => ({ y: tf.matMul(a as tf.Tensor2D, matrix) }), options)
      )
      expect(nodes).toContain("DistilleryMatMul")
      for (const seed of [1, 3]) {
        const values = noise(inputs * outputs, seed)
        ;(matrix as tf.Variable).assign(tf.tensor(values, [inputs, outputs]))
        const wanted = product(values)
        for (let run = 0; run < 4; run++) {
          const { y } = yield* compiled.run({ a })
          expect(Math.max(...y.map((value, at) => Math.abs(value - wanted[at]!)))).toBeLessThan(1e-5)
        }
      }
    }).pipe(Effect.scoped, Effect.provide(native.layer))
  )
})
