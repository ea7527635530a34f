/** What both runtimes promise (`lib/tensor/Runtime.ts`), and the errors of each. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { ExecutionError, TensorRuntime, TraceError } from "../../../lib/tensor/Runtime.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { native, portable, runtimes } from "../../support/runtimes.ts"

const vector = { shape: [2], dtype: "float32" } as const
const fed = (...values: ReadonlyArray<number>) => ({ x: Float32Array.from(values) })

for (const { name, skipped, layer } of runtimes) {
  const either = it.effect.skipIf(skipped !== "")

  describe(`the ${name} runtime${skipped}`, () => {
    either("shares variables between compiled steps and reads them back", () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const total = tf.variable(tf.tensor1d([1, 2]))
        const untouched = tf.variable(tf.tensor1d([7]))
        const options = { inputs: { x: vector }, precision: "float32" } as const
        const add = yield* runtime.jit(({ x }) => {
          total.assign(tf.add(total, x))
          return { total }
        }, options)
        const double = yield* runtime.jit(({ x }) => ({ doubled: tf.mul(total, 2), x }), options)
        expect(Array.from((yield* add.run(fed(10, 20))).total)).toEqual([11, 22])
        expect(Array.from((yield* double.run(fed(5, 6))).doubled)).toEqual([22, 44])
        expect(Array.from((yield* double.run(fed(5, 6))).x)).toEqual([5, 6])
        yield* add.run(fed(1, 1))
        const values = yield* runtime.read([untouched, total])
        expect(values.map((value) => Array.from(value))).toEqual([[7], [12, 23]])
        tf.dispose([total, untouched])
      }).pipe(Effect.provide(layer))
    )

    either("lets eager code read and assign variables between runs", () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const state = tf.variable(tf.tensor1d([1, 1]))
        const step = yield* runtime.jit(
          ({ x }) => {
            state.assign(tf.mul(state, x))
            return { state }
          },
          { inputs: { x: vector }, precision: "float32" }
        )
        yield* step.run(fed(2, 3))
        expect(Array.from(state.dataSync())).toEqual([2, 3])
        expect(Array.from(tf.add(state, 1).dataSync())).toEqual([3, 4])
        yield* step.run(fed(2, 3))
        expect(Array.from(tf.add(state, 1).dataSync())).toEqual([5, 10])
        state.assign(tf.tensor1d([100, 200]))
        expect(Array.from((yield* step.run(fed(1, 2))).state)).toEqual([100, 400])
        expect(Array.from((yield* runtime.read([state]))[0]!)).toEqual([100, 400])
        state.dispose()
      }).pipe(Effect.provide(layer))
    )

    either("does not let a variable share the memory of an input", () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const last = tf.variable(tf.zeros([2]))
        const before = tf.variable(tf.zeros([2]))
        const step = yield* runtime.jit(
          ({ x }) => {
            before.assign(last)
            last.assign(tf.reshape(x, [2]))
            return { before }
          },
          { inputs: { x: vector }, precision: "float32" }
        )
        yield* step.run(fed(1, 2))
        expect(Array.from((yield* step.run(fed(3, 4))).before)).toEqual([1, 2])
        tf.dispose([last, before])
      }).pipe(Effect.provide(layer))
    )
  })

  describe(`a mistake on the ${name} runtime${skipped}`, () => {
    either("refuses feeds that do not fit, naming input and sizes", () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const step = yield* runtime.jit(({ x }) => ({ y: tf.neg(x) }), {
          inputs: { x: vector },
          precision: "float32"
        })
        const short = yield* Effect.flip(step.run(fed(1)))
        expect(short).toBeInstanceOf(ExecutionError)
        expect(short.message).toMatch(/"x" takes a Float32Array of 2 .* a Float32Array of 1/)
        const other = yield* Effect.flip(step.run({ x: Int32Array.of(1, 2) }))
        expect(other.message).toMatch(/Int32Array/)
        expect(Array.from((yield* step.run(fed(1, 2))).y)).toEqual([-1, -2])
      }).pipe(Effect.provide(layer))
    )

    either("names the operation it has no kernel for", () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const compiled = runtime.jit(
          ({ x }) => ({ y: tf.engine().runKernel("Frobnicate", { x }) as tf.Tensor }),
          {
            inputs: { x: vector },
            precision: "float32"
          }
        )
        const error = yield* Effect.flip(Effect.flatMap(compiled, (step) => step.run(fed(1, 2))))
        expect(error).toMatchObject({ _tag: "TraceError", operation: "Frobnicate" })
      }).pipe(Effect.provide(layer))
    )
  })
}

const test = it.effect.skipIf(native.skipped !== "")
const options = { inputs: { x: vector }, precision: "float32" } as const

describe(`tracing${native.skipped}`, () => {
  test("fails where a step reads values, and leaves variables as they were", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const weight = tf.variable(tf.tensor1d([3, 4]))
      const reading = runtime.jit(({ x }) => {
        weight.assign(tf.mul(weight, 2))
        return { y: tf.mul(x, tf.sum(weight).dataSync()[0]!) }
      }, options)
      const error = yield* Effect.flip(reading)
      expect(error).toBeInstanceOf(TraceError)
      expect(error).toMatchObject({ operation: "dataSync" })
      expect(error.message).toMatch(/shape \[\].*return the tensor as an output/)
      expect(Array.from(weight.dataSync())).toEqual([3, 4])
      const step = yield* runtime.jit(({ x }) => ({ y: tf.mul(x, weight) }), options)
      expect(Array.from((yield* step.run(fed(1, 1))).y)).toEqual([3, 4])
      weight.dispose()
    }).pipe(Effect.provide(native.layer)))
})

describe(`running what was traced${native.skipped}`, () => {
  test("hands on what TensorFlow says when a run fails", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const table = tf.variable(tf.ones([3, 2]))
      const step = yield* runtime.jit(({ rows }) => ({ y: tf.gather(table, rows as tf.Tensor1D) }), {
        inputs: { rows: { shape: [1], dtype: "int32" } },
        precision: "float32"
      })
      const error = yield* Effect.flip(step.run({ rows: Int32Array.of(9) }))
      expect(error).toMatchObject({ _tag: "ExecutionError" })
      expect(error.message).toMatch(/= 9 is not in \[0, 3\)/)
      table.dispose()
    }).pipe(Effect.provide(native.layer)))

  test("keeps the event loop free while a step runs", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const side = 700
      const step = yield* runtime.jit(
        ({ x }) => {
          let product = x as tf.Tensor2D
          for (let index = 0; index < 8; index += 1) product = tf.matMul(product, x as tf.Tensor2D)
          return { sum: tf.sum(product) }
        },
        { inputs: { x: { shape: [side, side], dtype: "float32" } }, precision: "float32" }
      )
      let turns = 0
      const timer = setInterval(() => {
        turns += 1
      }, 1)
      yield* step.run({ x: new Float32Array(side * side).fill(1e-3) })
      clearInterval(timer)
      expect(turns).toBeGreaterThan(2)
    }).pipe(Effect.provide(native.layer)))

  test("leaves variables their last values when its scope ends", () =>
    Effect.gen(function* () {
      const weight = tf.variable(tf.tensor1d([3, 4]))
      yield* Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const step = yield* runtime.jit(({ x }) => {
          weight.assign(tf.mul(x, weight))
          return { weight }
        }, options)
        yield* step.run(fed(2, 3))
      }).pipe(Effect.provide(native.layer))
      expect(Array.from(weight.dataSync())).toEqual([6, 12])
      const runtime = yield* TensorRuntime
      const step = yield* runtime.jit(({ x }) => ({ y: tf.add(x, weight) }), options)
      expect(Array.from((yield* step.run(fed(1, 1))).y)).toEqual([7, 13])
      weight.dispose()
    }).pipe(Effect.provide(native.layer)))
})

describe("the portable runtime", () => {
  it.effect("refuses bfloat16 instead of quietly computing in float32", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const compiled = runtime.jit(({ x }) => ({ x }), { inputs: { x: vector }, precision: "bfloat16" })
      const error = yield* Effect.flip(compiled)
      expect(error.message).toMatch(/float32 only/)
      expect(runtime.precisions).toEqual(["float32"])
    }).pipe(Effect.provide(portable.layer))
  )
})
