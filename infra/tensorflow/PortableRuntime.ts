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
  TensorRuntime,
  TraceError
} from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { executionError, traceError } from "./errors.ts"
import { checkedFeed } from "./feeds.ts"
import { startWasm } from "./portable/wasm.ts"
import type { Values } from "./tensors.ts"

export const makePortableRuntime = Effect.fn("PortableRuntime.make")(function* () {
  yield* startWasm
  return TensorRuntime.of({
    numerics: { backend: "wasm", library: `tfjs-backend-wasm ${version_wasm}`, threads: 1 },
    precisions: ["float32"],
    jit: (step, options) => prepare(step, options),
    read: (variables) =>
      Effect.try({
        try: () => variables.map((variable) => Float32Array.from(variable.dataSync())),
        catch: (cause) => executionError(cause, "The variables cannot be read")
      })
  })
})

/** A `TensorRuntime` that runs anywhere Node does. */
export const layerPortable: Layer.Layer<TensorRuntime, ExecutionError> = Layer.effect(
  TensorRuntime,
  makePortableRuntime()
)

const prepare = <I extends string, O extends string>(
  step: (inputs: { readonly [K in I]: tf.Tensor }) => { readonly [K in O]: tf.Tensor },
  options: JitOptions<I>
): Effect.Effect<Compiled<I, O>, TraceError> =>
  options.precision === "float32"
    ? Effect.succeed({ run: (feeds) => runEagerly(step, options, feeds) })
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
  feeds: Feeds<I>
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

const feedTensors = <I extends string>(options: JitOptions<I>, feeds: Feeds<I>) => {
  const entries = Object.entries<JitOptions<I>["inputs"][I]>(options.inputs)
  const checked = entries.map(([name, spec]) => [name, spec, checkedFeed(name, spec, feeds)] as const)
  const tensors = checked.map(([name, { shape, dtype }, values]) => [
    name,
    tf.tensor(values, [...shape], dtype)
  ])
  return Object.fromEntries(tensors) as { readonly [K in I]: tf.Tensor }
}

/** Runs the step and copies its outputs out, leaving no tensor behind but what it assigned to variables. */
const fetchAll = <O extends string>(step: () => { readonly [K in O]: tf.Tensor }): Fetches<O> => {
  const values: Array<[string, Values]> = []
  tf.tidy(() => {
    for (const [name, tensor] of Object.entries<tf.Tensor>(step())) {
      values.push([name, tensor.dataSync() as Values])
    }
  })
  return Object.fromEntries(values) as Fetches<O>
}
