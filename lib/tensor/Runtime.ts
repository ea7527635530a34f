/**
 * The tensor runtime: what turns ordinary tfjs code into something fast on the machine at hand.
 * Implementations live in `infra/tensorflow`; model and training code knows only this interface.
 */
import { Context, type Effect, Schema } from "effect"
import type { tf } from "./tf.ts"

/**
 * How the arithmetic of convolutions and matrix products is done; loss, statistics and weights stay float32.
 */
export const Precision = Schema.Literals(["float32", "bfloat16"])
export type Precision = typeof Precision.Type

export interface TensorSpec {
  readonly shape: ReadonlyArray<number>
  readonly dtype: "float32" | "int32"
}

export type Feed = Float32Array | Int32Array
export type Feeds<I extends string> = { readonly [K in I]: Feed }
export type Fetches<O extends string> = { readonly [K in O]: Float32Array | Int32Array }

/** A step cannot be traced: it reads values, makes variables or uses an operation that has no kernel. */
export class TraceError extends Schema.TaggedError<TraceError>()("TraceError", {
  operation: Schema.String,
  message: Schema.String
}) {}

/** The library under the runtime refused or failed to run a step. */
export class ExecutionError extends Schema.TaggedError<ExecutionError>()("ExecutionError", {
  message: Schema.String
}) {}

export type TensorError = TraceError | ExecutionError

/** A step made ready to run for one set of input shapes. */
export interface Compiled<I extends string, O extends string> {
  /**
   * Feeds the inputs, runs the step once, returns its outputs as typed arrays. The event loop stays free on
   * the native runtime. Calls must not overlap for one compiled function. The feed arrays may be reused by
   * the caller as soon as `run` was called on the native runtime, and only after it finished on a portable
   * one.
   */
  readonly run: (feeds: Feeds<I>) => Effect.Effect<Fetches<O>, TensorError>
}

/** What decides bits (see "Identity" in ARCHITECTURE.md); provenance, never part of a key. */
export interface Numerics {
  readonly backend: string
  readonly library: string
  readonly threads: number
}

export interface JitOptions<I extends string> {
  readonly inputs: { readonly [K in I]: TensorSpec }
  readonly precision: Precision
}

export class TensorRuntime extends Context.Service<
  TensorRuntime,
  {
    readonly numerics: Numerics
    readonly precisions: ReadonlyArray<Precision>
    /**
     * Makes `step` ready to run. `step` is ordinary tfjs code over its inputs and any `tf.Variable`s it
     * closes over; variables it assigns are updated by each run. Traced once on the native runtime, run
     * eagerly elsewhere.
     */
    readonly jit: <I extends string, O extends string>(
      step: (inputs: { readonly [K in I]: tf.Tensor }) => { readonly [K in O]: tf.Tensor },
      options: JitOptions<I>
    ) => Effect.Effect<Compiled<I, O>, TensorError>
    /** Current values of variables, in the order given; one round trip on the native runtime. */
    readonly read: (
      variables: ReadonlyArray<tf.Variable>
    ) => Effect.Effect<ReadonlyArray<Float32Array>, TensorError>
  }
>()("lib/tensor/TensorRuntime") {}
