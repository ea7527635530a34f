/**
 * The tensor runtime: what turns ordinary tfjs code into something fast on the machine at hand.
 * Implementations live in `infra/tensorflow`; model and training code knows only this interface.
 */
import { Context, type Effect, Schema, type Scope } from "effect"
import type { tf } from "./tf.ts"

/**
 * How the arithmetic of convolutions and matrix products is done; loss, statistics and weights stay float32.
 * "float16" is for GPUs, and needs its loss scaled (`lib/train/loss-scaling.ts`).
 */
export const Precision = Schema.Literals(["float32", "bfloat16", "float16"])
export type Precision = typeof Precision.Type

export interface TensorSpec {
  readonly shape: ReadonlyArray<number>
  readonly dtype: "float32" | "int32"
}

export type Feed = Float32Array | Int32Array
export type Feeds<I extends string> = { readonly [K in I]: Feed }

/** Values of another shape (or type) than was declared, as a last batch that is not full. */
export interface ShapedFeed {
  readonly shape: ReadonlyArray<number>
  readonly values: Feed
}

/** What a run is given: an array alone has the declared shape and type. */
export type RunFeeds<I extends string> = { readonly [K in I]: Feed | ShapedFeed }
export type Fetches<O extends string> = { readonly [K in O]: Float32Array | Int32Array }

/**
 * A step cannot be traced: it reads values, makes variables, uses a tensor of another trace or an operation
 * that has no kernel, or its inputs do not fit it. `operation` is tfjs's; the message names the line.
 */
export class TraceError extends Schema.TaggedError<TraceError>()("TraceError", {
  operation: Schema.String,
  message: Schema.String
}) {}

/** The library under the runtime refused or failed to run a step. */
export class ExecutionError extends Schema.TaggedError<ExecutionError>()("ExecutionError", {
  message: Schema.String
}) {}

export type TensorError = TraceError | ExecutionError

/** A step made ready to run, as long as the scope it was made in. */
export interface Compiled<I extends string, O extends string> {
  /**
   * Feeds the inputs, runs the step once, returns its outputs as typed arrays. The event loop stays free on
   * the native runtime. Calls must not overlap for one compiled function, and the feeds belong to the run
   * until it has ended. Feeds of a shape that was not there before are traced for first.
   */
  readonly run: (feeds: RunFeeds<I>) => Effect.Effect<Fetches<O>, TensorError>
  /**
   * Arrays for one set of inputs of the declared shapes, of zeros, in memory where `run` needs no copy of
   * them. With two sets, one is filled while a step runs on the other. They are empty after the scope's end.
   */
  readonly allocate: Effect.Effect<Feeds<I>>
}

/** How often steps were traced and found traced, all functions of a runtime together. */
export interface TraceCounters {
  readonly traces: number
  readonly hits: number
  /** Traces let go of because a function had too many. */
  readonly evictions: number
  /** How often the graph was made anew, since most of it was no longer used. */
  readonly rebuilds: number
  /** Nodes of the graph that traces in use need, and those that nothing needs any more. */
  readonly nodes: { readonly live: number; readonly dead: number }
}

/** What decides bits (see "Identity" in ARCHITECTURE.md); provenance, never part of a key. */
export const Numerics = Schema.Struct({
  backend: Schema.String,
  library: Schema.String,
  threads: Schema.Int
})
export type Numerics = typeof Numerics.Type

export interface JitOptions<I extends string> {
  /** For which inputs it is made ready at once; feeds of other shapes are welcome later. */
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
     * closes over; variables it assigns are updated by each run. Traced on the native runtime, once for each
     * set of input shapes and types (the latest 16 are kept), run eagerly elsewhere.
     */
    readonly jit: <I extends string, O extends string>(
      step: (inputs: { readonly [K in I]: tf.Tensor }) => { readonly [K in O]: tf.Tensor },
      options: JitOptions<I>
    ) => Effect.Effect<Compiled<I, O>, TensorError, Scope.Scope>
    /** A variable with a copy of the values, kept where steps use it; whoever makes it disposes of it. */
    readonly variable: (values: Float32Array, shape: ReadonlyArray<number>) => Effect.Effect<tf.Variable>
    /** Zeros where nothing is traced. */
    readonly counters: Effect.Effect<TraceCounters>
    /** Current values of variables, in the order given; one round trip on the native runtime. */
    readonly read: (
      variables: ReadonlyArray<tf.Variable>
    ) => Effect.Effect<ReadonlyArray<Float32Array>, TensorError>
  }
>()("lib/tensor/TensorRuntime") {}
