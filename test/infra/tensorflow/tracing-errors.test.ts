/** What cannot be traced: each refusal names tfjs's operation and the line, and leaves nothing behind. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { startWasm } from "../../../infra/tensorflow/portable/wasm.ts"
import { BatchStatistics, training } from "../../../lib/nn/Mode.ts"
import { TensorRuntime } from "../../../lib/tensor/Runtime.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import { native, portable } from "../../support/runtimes.ts"

const options = { inputs: { x: { shape: [2, 3], dtype: "float32" } }, precision: "float32" } as const
const numbers = Float32Array.from({ length: 6 }, (_, index) => index)

type Step = (inputs: { readonly x: tf.Tensor }) => { readonly [name: string]: tf.Tensor }

interface Refusal {
  readonly title: string
  readonly step: Step
  readonly operation: string
  readonly message: RegExp
}

const HERE = "test/infra/tensorflow/tracing-errors\\.test\\.ts"

// Values want a backend that computes.
await Effect.runPromise(startWasm)
const weight = tf.variable(tf.ones([3]))

const refusals: ReadonlyArray<Refusal> = [
  {
    title: "dataSync",
    step: ({ x }) => ({ y: tf.mul(x, x.dataSync()[0]!) }),
    operation: "dataSync",
    message: /asks for the values of a float32 tensor of shape \[2,3\].*return the tensor as an output/
  },
  {
    title: "arraySync",
    step: ({ x }) => ({ y: tf.tensor(tf.neg(x).arraySync() as Array<Array<number>>) }),
    operation: "arraySync",
    message: /return the tensor as an output/
  },
  {
    title: "print",
    step: ({ x }) => {
      x.print()
      return { x }
    },
    operation: "print",
    message: /return the tensor as an output/
  },
  {
    title: "data, though its promise comes too late",
    step: ({ x }) => {
      void x.data().then((values) => values[0])
      return { x }
    },
    operation: "data",
    message: /return the tensor as an output/
  },
  {
    title: "random numbers",
    step: ({ x }) => ({ y: tf.mul(x, tf.randomUniform([2, 3])) }),
    operation: "randomUniform",
    message: /the same in every run.*feed them/
  },
  {
    title: "dropout",
    step: ({ x }) => ({ y: tf.dropout(x, 0.5) }),
    operation: "dropout",
    message: /the same in every run.*feed them/
  },
  {
    title: "a branch on a value",
    step: ({ x }) => ({ y: Number(tf.sum(x).arraySync()) > 0 ? x : tf.neg(x) }),
    operation: "arraySync",
    message: /compute both branches and choose with tf\.where/
  },
  {
    title: "an asynchronous step",
    step: (async ({ x }: { readonly x: tf.Tensor }) => ({ x })) as never,
    operation: "step",
    message: /the step is asynchronous/
  },
  {
    title: "an output that is none",
    step: (({ x }: { readonly x: tf.Tensor }) => ({ x, loss: 3 })) as never,
    operation: "step",
    message: /gave back "loss", which is not a tensor/
  },
  {
    title: "a variable made inside",
    step: ({ x }) => ({ y: tf.add(x, tf.variable(tf.ones([3]), true, "made")) }),
    operation: "variable",
    message: /makes a variable \("made"\).*before the step is compiled/
  },
  {
    title: "an optimizer that makes its slots inside",
    step: ({ x }) => {
      const adam = tf.train.adam()
      adam.applyGradients([{ name: weight.name, tensor: tf.sum(x, 0) }] as never)
      return { x }
    },
    operation: "adam",
    message: /the slots of tfjs's optimizers too/
  },
  {
    title: "an operation without kernel",
    step: ({ x }) => ({ y: tf.engine().runKernel("Frobnicate", { x }) as tf.Tensor }),
    operation: "Frobnicate",
    message: /it uses Frobnicate, which this runtime has no kernel for.*Write it with other operations/
  },
  {
    title: "shapes that tfjs refuses",
    step: ({ x }) => ({ y: tf.matMul(x as tf.Tensor2D, tf.ones([2, 2])) }),
    operation: "matMul",
    message: /2,3/
  },
  {
    title: "shapes that TensorFlow refuses",
    step: ({ x }) => ({ y: tf.engine().runKernel("Add", { a: x, b: tf.ones([5, 7]) }) as tf.Tensor }),
    operation: "runKernel",
    message: /Add does not take these inputs: .*input shapes: \[2,3\], \[5,7\]/
  },
  {
    title: "what fails in a gradient, where statistics and saved tensors are kept",
    step: ({ x }) => {
      const statistics = new BatchStatistics()
      training([], statistics)
      const { grads } = tf.variableGrads(() => {
        statistics.record("seen", tf.mean(x))
        const squared = tf.square(tf.mul(x, weight)) as tf.Tensor2D
        return tf.sum(tf.matMul(squared, tf.ones([7, 7]))) as tf.Scalar
      }, [weight])
      return grads as never
    },
    operation: "matMul",
    message: /2,3/
  },
  {
    title: "an error of the step itself",
    step: () => {
      throw new Error("out of beans")
    },
    operation: "step",
    message: /out of beans/
  }
]

/** The line of this file that a message names; 0: none. */
const lineIn = (message: string): number => Number(new RegExp(`${HERE}:(\\d+)`).exec(message)?.[1] ?? 0)

const test = it.effect.skipIf(native.skipped !== "")

describe(`tracing refuses${native.skipped}`, () => {
  for (const { message, operation, step, title } of refusals) {
    test(title, () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const scaled: Step = ({ x }) => ({ y: tf.mul(x, weight) })
        // From here on the session has the weight, and holds its data.
        yield* runtime.jit(scaled, options)
        const before = tf.memory().numTensors
        const variables = Object.keys(tf.engine().state.registeredVariables)
        const error = yield* Effect.flip(runtime.jit(step, options))
        expect(error).toMatchObject({ _tag: "TraceError", operation })
        expect(error.message).toMatch(message)
        if (!/asynchronous|gave back/.test(error.message)) expect(lineIn(error.message)).toBeGreaterThan(30)
        expect(tf.memory().numTensors).toBe(before)
        expect(Object.keys(tf.engine().state.registeredVariables)).toEqual(variables)
        const after = yield* runtime.jit(scaled, options)
        expect(Array.from((yield* after.run({ x: numbers })).y!)).toEqual([0, 1, 2, 3, 4, 5])
      }).pipe(Effect.provide(native.layer))
    )
  }

  test("a line of the user's, the one that asked", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const marker = new Error("marker")
      const error = yield* Effect.flip(runtime.jit(({ x }) => ({ y: tf.mul(x, x.dataSync()[0]!) }), options))
      const line = Number(/tracing-errors\.test\.ts:(\d+)/.exec(marker.stack ?? "")?.[1])
      expect(
        error.message.startsWith(`dataSync at test/infra/tensorflow/tracing-errors.test.ts:${line + 1}:`)
      ).toBe(true)
    }).pipe(Effect.provide(native.layer)))

  test("a shape that the step is given later, and goes on with those that fit", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const step = yield* runtime.jit(({ x }) => ({ y: tf.reshape(x, [2, 3]) }), options)
      const error = yield* Effect.flip(step.run({ x: { shape: [4], values: numbers.slice(0, 4) } }))
      expect(error).toMatchObject({ _tag: "TraceError", operation: "reshape" })
      expect(lineIn(error.message)).toBeGreaterThan(30)
      expect(Array.from((yield* step.run({ x: numbers })).y)).toEqual([...numbers])
    }).pipe(Effect.provide(native.layer)))

  test("a tensor of another trace, in a trace and outside of any", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      let leaked: tf.Tensor | undefined
      yield* runtime.jit(({ x }) => {
        leaked = tf.keep(tf.neg(x))
        return { x }
      }, options)
      const error = yield* Effect.flip(runtime.jit(({ x }) => ({ y: tf.add(x, leaked!) }), options))
      expect(error).toMatchObject({ _tag: "TraceError", operation: "add" })
      expect(error.message).toMatch(/another step was traced.*Return it from that step/)
      expect(lineIn(error.message)).toBeGreaterThan(30)
      expect(() => tf.add(leaked!, 1)).toThrow(/made while a step was traced and has no values.*as an output/)
      expect(() => leaked!.dataSync()).toThrow(/made while a step was traced/)
      leaked?.dispose()
    }).pipe(Effect.provide(native.layer)))
})

describe("running eagerly refuses", () => {
  for (const title of ["a variable made inside", "an error of the step itself", "an asynchronous step"]) {
    it.effect(title, () =>
      Effect.gen(function* () {
        const runtime = yield* TensorRuntime
        const { message, operation, step } = refusals.find((refusal) => refusal.title === title)!
        const compiled = yield* runtime.jit(step, options)
        const before = tf.memory().numTensors
        const error = yield* Effect.flip(compiled.run({ x: numbers }))
        expect(error).toMatchObject({ _tag: "TraceError", operation })
        expect(error.message).toMatch(message)
        expect(tf.memory().numTensors).toBe(before)
      }).pipe(Effect.provide(portable.layer))
    )
  }

  it.effect("nothing that stays behind when a gradient fails", () =>
    Effect.gen(function* () {
      const runtime = yield* TensorRuntime
      const { step } = refusals.find(({ title }) => title.startsWith("what fails in a gradient"))!
      const compiled = yield* runtime.jit(step, options)
      const before = tf.memory().numTensors
      expect((yield* Effect.flip(compiled.run({ x: numbers }))).message).toMatch(/matMul at .*:\d+: /)
      expect(tf.memory().numTensors).toBe(before)
    }).pipe(Effect.provide(portable.layer))
  )
})
