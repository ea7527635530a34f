/**
 * The tensor runtime that needs nothing installed: tfjs on WebAssembly, each step run eagerly, in float32.
 */
import { version_wasm } from "@tensorflow/tfjs-backend-wasm"
import { Effect, Layer } from "effect"
import {
  type Compiled,
  type ExecutionError,
  type Feeds,
  type Fetches,
  type JitOptions,
  type RunFeeds,
  TensorRuntime,
  type TensorSpec,
  type TraceCounters,
  TraceError
} from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { executionError, traceError } from "./errors.ts"
import { checkedFeeds } from "./feeds.ts"
import { startWasm } from "./portable/wasm.ts"
import { sizeOf, type Values } from "./tensors.ts"
import { checkedResults } from "./trace-step.ts"
import { guarded } from "./tracing-guard.ts"
import { variableOf } from "./variables.ts"

export const makePortableRuntime = Effect.fn("PortableRuntime.make")(function* () {
  yield* startWasm
  return TensorRuntime.of({
    numerics: { backend: "wasm", library: `tfjs-backend-wasm ${version_wasm}`, threads: 1 },
    precisions: ["float32"],
    jit: (step, options) => prepare(step, options),
    // A copy of the values: the backend may keep the array it is given.
    variable: (values, shape) => Effect.sync(() => variableOf(tf.tensor(values.slice(), [...shape]))),
    read: (variables) =>
      Effect.try({
        try: () => variables.map((variable) => Float32Array.from(variable.dataSync())),
        catch: (cause) => executionError(cause, "The variables cannot be read")
      }),
    counters: Effect.succeed(NOTHING_TRACED)
  })
})

/** A `TensorRuntime` that runs anywhere Node does. */
export const layerPortable: Layer.Layer<TensorRuntime, ExecutionError> = Layer.effect(
  TensorRuntime,
  makePortableRuntime()
)

const NOTHING_TRACED: TraceCounters = {
  traces: 0,
  hits: 0,
  evictions: 0,
  rebuilds: 0,
  nodes: { live: 0, dead: 0 }
}

const prepare = <I extends string, O extends string>(
  step: (inputs: { readonly [K in I]: tf.Tensor }) => { readonly [K in O]: tf.Tensor },
  options: JitOptions<I>
): Effect.Effect<Compiled<I, O>, TraceError> =>
  options.precision === "float32"
    ? Effect.succeed({
        run: (feeds) => runEagerly(step, options, feeds),
        allocate: Effect.sync(() => zeros(options))
      })
    : Effect.fail(
        new TraceError({
          operation: "jit",
          message:
            `The portable runtime computes in float32 only and the step asks for ${options.precision}: ` +
            "install TensorFlow's library (python3 with pip lets it be fetched) or ask for float32"
        })
      )

const runEagerly = <I extends string, O extends string>(
  step: (inputs: { readonly [K in I]: tf.Tensor }) => { readonly [K in O]: tf.Tensor },
  options: JitOptions<I>,
  feeds: RunFeeds<I>
): Effect.Effect<Fetches<O>, TraceError | ExecutionError> =>
  Effect.try({
    try: () => feedTensors(options, feeds),
    catch: (cause) => executionError(cause, "The step cannot be fed")
  }).pipe(
    Effect.flatMap((inputs) =>
      Effect.try({ try: () => fetchAll<O>(() => step(inputs)), catch: traceError }).pipe(
        Effect.ensuring(Effect.sync(() => tf.dispose(inputs)))
      )
    )
  )

const zeros = <I extends string>({ inputs }: JitOptions<I>): Feeds<I> => {
  const entries = Object.entries<TensorSpec>(inputs).map(([name, { dtype, shape }]) => [
    name,
    dtype === "int32" ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape))
  ])
  return Object.fromEntries(entries) as Feeds<I>
}

const feedTensors = <I extends string>({ inputs }: JitOptions<I>, feeds: RunFeeds<I>) => {
  const tensors = checkedFeeds(inputs, feeds).map(({ name, spec: { dtype, shape }, values }) => [
    name,
    tf.tensor(values, [...shape], dtype)
  ])
  return Object.fromEntries(tensors) as { readonly [K in I]: tf.Tensor }
}

/** Runs the step and copies its outputs out, leaving no tensor behind but what it assigned to variables. */
const fetchAll = <O extends string>(step: () => { readonly [K in O]: tf.Tensor }): Fetches<O> =>
  guarded(() => {
    const values = Object.entries<tf.Tensor>(checkedResults(step())).map(([name, tensor]) => [
      name,
      tensor.dataSync() as Values
    ])
    return Object.fromEntries(values) as Fetches<O>
  })
