/** Traces by input shape: kept, bounded, explained, and given back with the graph that grew by them. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, References } from "effect"
import { TensorFlow } from "../../../infra/tensorflow/capi.ts"
import type { NativeLibrary } from "../../../infra/tensorflow/library.ts"
import { layerNative } from "../../../infra/tensorflow/NativeRuntime.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { kernelsFile, library, native, portable, runtimes } from "../../support/runtimes.ts"

const handlesOf = () => TensorFlow.load(library as NativeLibrary).handles.live

const test = it.effect.skipIf(native.skipped !== "")

/** Keeps few traces and little of a graph that nothing needs. */
const frugal =
  library.kind === "native"
    ? layerNative({ library, kernels: kernelsFile, threads: 1, tracesKept: 3, deadNodesKept: 40 })
    : native.layer

const rows = (count: number) => ({
  x: { shape: [count, 2], values: Float32Array.from({ length: count * 2 }, (_, index) => index) }
})

const options = { inputs: { x: { shape: [4, 2], dtype: "float32" } }, precision: "float32" } as const

/** The sum of all rows so far, and how many there were. */
const makeSum = Effect.gen(function* () {
  const runtime = yield* TensorRuntime
  const total = yield* Effect.acquireRelease(
    Effect.sync(() => tf.tidy(() => tf.variable(tf.zeros([2])))),
    (variable) => Effect.sync(() => variable.dispose())
  )
  const compiled = yield* runtime.jit(({ x }) => {
    total.assign(tf.add(total, tf.sum(x, 0)))
    return { total, count: tf.scalar(x.shape[0]!, "int32") }
  }, options)
  return { compiled, total, runtime }
})

for (const { name, skipped, layer } of runtimes) {
  describe(`feeds of another shape on the ${name} runtime${skipped}`, () => {
    it.effect.skipIf(skipped !== "")("are taken, types too", () =>
      Effect.gen(function* () {
        const { compiled, runtime } = yield* makeSum
        expect(Array.from((yield* compiled.run({ x: rows(4).x.values })).total)).toEqual([12, 16])
        const short = yield* compiled.run(rows(1))
        expect([Array.from(short.total), Array.from(short.count)]).toEqual([[12, 17], [1]])
        const kinds = yield* runtime.jit(({ x }) => ({ half: tf.div(x, 2) }), options)
        const whole = yield* kinds.run({ x: { shape: [3], values: Int32Array.of(2, 4, 7) } })
        expect(Array.from(whole.half)).toEqual([1, 2, 3.5])
        const error = yield* Effect.flip(kinds.run({ x: { shape: [3], values: Int32Array.of(1) } }))
        expect(error).toMatchObject({ _tag: "ExecutionError" })
        expect(error.message).toMatch(/"x" takes a Int32Array of 3 \(shape \[3\]\).* a Int32Array of 1/)
      }).pipe(Effect.provide(layer))
    )
  })
}

describe(`a step that is traced again${native.skipped}`, () => {
  test("is traced once for each shape, counted, and says why", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => lines.push(String(message)))
    return Effect.gen(function* () {
      const { compiled, runtime } = yield* makeSum
      for (const count of [4, 3, 4, 3, 2]) yield* compiled.run(rows(count))
      expect(yield* runtime.counters).toMatchObject({ traces: 3, hits: 3, evictions: 0, rebuilds: 0 })
      expect(lines).toEqual([
        "A step was traced again: x: [4,2] → [3,2]",
        "A step was traced again: x: [3,2] → [2,2]"
      ])
    }).pipe(
      Effect.provide(Layer.merge(native.layer, Logger.layer([logger]))),
      Effect.provideService(References.MinimumLogLevel, "Debug")
    )
  })

  test("keeps the latest few, makes the graph anew when most of it is dead, and loses nothing", () =>
    Effect.gen(function* () {
      const { compiled, runtime, total } = yield* makeSum
      const other = yield* runtime.jit(({ x }) => ({ y: tf.mul(tf.sum(x), total) }), options)
      let expected = 0
      for (let index = 0; index < 60; index += 1) {
        const count = 1 + (index % 12)
        yield* compiled.run(rows(count))
        expected += count * (count - 1)
        const { nodes } = yield* runtime.counters
        expect(nodes.live).toBeGreaterThan(0)
        expect(nodes.dead).toBeLessThanOrEqual(Math.max(nodes.live, 40) + 30)
      }
      expect(Array.from((yield* runtime.read([total]))[0]!)).toEqual([expected, expected + 390])
      const { evictions, rebuilds, traces } = yield* runtime.counters
      expect(evictions).toBeGreaterThan(40)
      expect(traces).toBeGreaterThan(evictions)
      expect(rebuilds).toBeGreaterThan(3)
      // One that was compiled for the first graph runs in the latest.
      const { y } = yield* other.run({ x: rows(4).x.values })
      expect(Array.from(y)).toEqual([28 * expected, 28 * (expected + 390)])
      total.assign(tf.tensor1d([1, 2]))
      expect(Array.from((yield* compiled.run(rows(1))).total)).toEqual([1, 3])
    }).pipe(Effect.provide(frugal)))

  test("uses constants of the step's closure in every graph", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const mask = tf.tensor2d([[1, 0]])
      const masked = yield* runtime.jit(({ x }) => ({ y: tf.sum(tf.mul(x, mask)) }), options)
      for (let index = 0; index < 40; index += 1) {
        const count = 1 + (index % 12)
        expect((yield* masked.run(rows(count))).y[0]).toBe(count * (count - 1))
      }
      expect((yield* runtime.counters).rebuilds).toBeGreaterThan(1)
      mask.dispose()
    }).pipe(Effect.provide(frugal)))
})

describe(`what a runtime gives back${native.skipped}`, () => {
  test("is every handle of TensorFlow and every tensor, with its scope", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(Effect.provide(makeSum, native.layer))
      const before = { tensors: tf.memory().numTensors, ...handlesOf() }
      yield* Effect.gen(function* () {
        const { compiled, runtime } = yield* makeSum
        const own = yield* compiled.allocate
        for (let step = 0; step < 200; step += 1) yield* compiled.run(own)
        for (let count = 1; count <= 20; count += 1) yield* compiled.run(rows(count + 4))
        const { traces, rebuilds } = yield* runtime.counters
        expect(traces).toBe(21)
        expect(rebuilds).toBeGreaterThan(0)
        expect(handlesOf()).toMatchObject({ graph: 1, session: 1, status: 0, options: 0, buffer: 0 })
      }).pipe(Effect.scoped, Effect.provide(frugal))
      expect({ tensors: tf.memory().numTensors, ...handlesOf() }).toEqual(before)
      expect(handlesOf()).toEqual({ tensor: 0, status: 0, buffer: 0, graph: 0, session: 0, options: 0 })
    }))

  test("is what a step had, as soon as the step's own scope ends", () =>
    Effect.gen(function* () {
      const { compiled, runtime } = yield* makeSum
      yield* compiled.run(rows(4))
      const { nodes } = yield* runtime.counters
      let arrays: Record<string, Float32Array | Int32Array> = {}
      const run = yield* Effect.scoped(
        Effect.gen(function* () {
          const step = yield* runtime.jit(({ x }) => ({ y: tf.neg(x) }), options)
          arrays = yield* step.allocate
          arrays.x!.set([1, 2, 3])
          expect(Array.from((yield* step.run({ x: arrays.x! })).y)).toEqual([-1, -2, -3, -0, -0, -0, -0, -0])
          return step.run
        })
      )
      expect((yield* runtime.counters).nodes.live).toBe(nodes.live)
      expect(arrays.x).toHaveLength(0)
      expect((yield* Effect.flip(run(rows(4)))).message).toMatch(/scope in which .* has ended/)
    }).pipe(Effect.provide(native.layer)))

  test("is the session's memory of variables that were disposed of", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const kept = tf.tidy(() => tf.variable(tf.tensor1d([1, 2])))
      const compiled = yield* runtime.jit(({ x }) => ({ y: tf.mul(x, kept) }), options)
      const before = tf.memory().numTensors
      const { nodes } = yield* runtime.counters
      for (let index = 0; index < 5; index += 1) {
        const passing = tf.tidy(() => tf.variable(tf.scalar(index)))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const step = yield* runtime.jit(({ x }) => ({ y: tf.add(x, passing) }), options)
            expect((yield* step.run(rows(4))).y[1]).toBe(index + 1)
          })
        )
        passing.dispose()
      }
      yield* compiled.run(rows(4))
      expect(tf.memory().numTensors).toBe(before)
      expect((yield* runtime.counters).nodes.live).toBe(nodes.live)
      kept.dispose()
      const error = yield* Effect.flip(compiled.run(rows(4)))
      expect(error).toMatchObject({ _tag: "TraceError", operation: "mul" })
      expect(error.message).toMatch(/retracing\.test\.ts:\d+: a tensor or variable that was disposed of/)
    }).pipe(Effect.provide(native.layer)))
})

describe("the portable runtime", () => {
  it.effect("counts nothing, and its arrays are ordinary ones", () =>
    Effect.gen(function* () {
      const { compiled, runtime } = yield* makeSum
      const own = yield* compiled.allocate
      own.x[1] = 5
      expect(Array.from((yield* compiled.run(own)).total)).toEqual([0, 5])
      expect((yield* runtime.counters).traces).toBe(0)
    }).pipe(Effect.provide(portable.layer))
  )
})
