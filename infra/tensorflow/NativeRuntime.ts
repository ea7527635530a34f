/**
 * The tensor runtime on TensorFlow itself: each step is traced into a graph once and then runs as one call.
 */
import { basename } from "node:path"
import { Effect, Layer, type Scope } from "effect"
import {
  type Compiled,
  type ExecutionError,
  type Fetches,
  type JitOptions,
  type Precision,
  type RunFeeds,
  type TensorError,
  TensorRuntime,
  type TraceCounters,
  TraceError
} from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { CompiledStep, type Outcome } from "./CompiledStep.ts"
import { CpuKernels } from "./CpuKernels.ts"
import { TensorFlow } from "./capi.ts"
import { devicesOf } from "./devices.ts"
import { executionError } from "./errors.ts"
import { startWasm } from "./portable/wasm.ts"
import type { ProfileOptions } from "./profile/StepProfiler.ts"
import type { Values } from "./tensors.ts"
import { onGraphBackend, type Step } from "./trace-step.ts"
import { variableOf } from "./variables.ts"
import { Workspace } from "./Workspace.ts"

export interface NativeOptions {
  /** Where the two shared objects lie (see `library.ts`). */
  readonly library: { readonly directory: string; readonly api: string; readonly framework: string }
  /** Threads that one operation may use. */
  readonly threads: number
  /** The object compiled from our kernels (see `cpu-library.ts`); absent: TensorFlow's serve. */
  readonly kernels?: string | undefined
  /** Where CUDA keeps what it compiles for this machine's GPU. */
  readonly cudaCache?: string | undefined
  /** Traces kept for one compiled step; 16. */
  readonly tracesKept?: number | undefined
  /** Nodes that may be dead in the graph before it is made anew, however few live; 4096. */
  readonly deadNodesKept?: number | undefined
  /** Whether float16 is offered on a CPU too, which takes ten times as long in it: for tests. */
  readonly float16OnCpu?: boolean | undefined
  /** Asks for profiles of each compiled step. */
  readonly profile?: ProfileOptions | undefined
}

const TRACES_KEPT = 16
const DEAD_NODES_KEPT = 4096

/** A `TensorRuntime` whose graph and session live as long as the layer. */
export const layerNative = (options: NativeOptions): Layer.Layer<TensorRuntime, ExecutionError> =>
  Layer.effect(TensorRuntime, makeNativeRuntime(options))

export const makeNativeRuntime = Effect.fn("NativeRuntime.make")(function* (options: NativeOptions) {
  const library = yield* Effect.try({
    try: () => TensorFlow.load(options.library, options.cudaCache),
    catch: (cause) => executionError(cause, `TensorFlow cannot be loaded from ${options.library.directory}`)
  })
  // Eager code (building weights, looking at results) needs a backend that computes.
  yield* startWasm
  const native = yield* Effect.acquireRelease(
    Effect.try({
      try: () => openNative(library, options),
      catch: (cause) => executionError(cause, "The native runtime cannot be started")
    }),
    ({ workspace }) => Effect.sync(() => workspace.close())
  )
  return TensorRuntime.of({
    numerics: {
      backend: native.onGpu ? "tensorflow-gpu" : "tensorflow",
      library: `tensorflow ${library.version}${native.onGpu ? "" : kernelsName(options)}`,
      threads: options.threads
    },
    precisions: native.precisions,
    jit: (step, jitOptions) => compile(native, step, jitOptions),
    // On another backend the values would take up its memory, too, until the process ends.
    variable: (values, shape) =>
      Effect.sync(() =>
        onGraphBackend(native.workspace.backendName, () => variableOf(tf.tensor(values, [...shape])))
      ),
    read: (variables) => readVariables(native.workspace, variables),
    counters: Effect.sync(() => countersOf(native))
  })
})

/** Ours are named by what they were compiled of. */
const kernelsName = ({ kernels }: NativeOptions): string =>
  kernels === undefined ? "" : `, kernels ${basename(kernels, ".so")}`

interface Native {
  readonly workspace: Workspace
  readonly onGpu: boolean
  readonly precisions: ReadonlyArray<Precision>
  readonly steps: Set<CompiledStep>
  readonly tracesKept: number
  /** Of steps that were released. */
  readonly past: { traces: number; hits: number; evictions: number }
}

const openNative = (library: TensorFlow, options: NativeOptions): Native => {
  const { deadNodesKept = DEAD_NODES_KEPT, kernels, profile, threads, tracesKept = TRACES_KEPT } = options
  // TensorFlow places nodes on a GPU by itself; kernels for the CPU would only fetch them back.
  const onGpu = devicesOf(library, threads).some(({ type }) => type === "GPU")
  // Before the graph, which knows the operations that are registered by then.
  const cpu = onGpu || kernels === undefined ? undefined : CpuKernels.load(library, kernels, threads)
  const workspace = new Workspace({ library, cpu, threads, deadNodesKept, profile })
  const past = { traces: 0, hits: 0, evictions: 0 }
  const precisions = precisionsOf(onGpu || options.float16OnCpu === true)
  return { workspace, onGpu, precisions, steps: new Set(), tracesKept, past }
}

const precisionsOf = (float16: boolean): ReadonlyArray<Precision> =>
  float16 ? ["float32", "bfloat16", "float16"] : ["float32", "bfloat16"]

const countersOf = ({ past, steps, workspace }: Native): TraceCounters => {
  const sums = { ...past }
  for (const { counts } of steps) add(sums, counts)
  return { ...sums, rebuilds: workspace.rebuilds, nodes: workspace.nodes }
}

const add = (sums: Native["past"], counts: Readonly<Native["past"]>): void => {
  sums.traces += counts.traces
  sums.hits += counts.hits
  sums.evictions += counts.evictions
}

const compile = <I extends string, O extends string>(
  native: Native,
  step: (inputs: { readonly [K in I]: tf.Tensor }) => { readonly [K in O]: tf.Tensor },
  options: JitOptions<I>
): Effect.Effect<Compiled<I, O>, TensorError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        if (!native.precisions.includes(options.precision)) throw noFloat16()
        const made = new CompiledStep(native.workspace, step as Step, options, native.tracesKept)
        native.steps.add(made)
        return made
      },
      catch: (cause) => tensorError(cause, "The step cannot be made ready")
    }),
    (made) =>
      Effect.sync(() => {
        native.steps.delete(made)
        add(native.past, made.counts)
        made.release()
      })
  ).pipe(
    Effect.map((made) => ({
      run: (feeds) => runStep(made, feeds) as Effect.Effect<Fetches<O>, TensorError>,
      allocate: Effect.sync(() => made.memory.allocate(options.inputs))
    }))
  )

const noFloat16 = (): TraceError =>
  new TraceError({
    operation: "jit",
    message:
      "The step asks for float16, which is for GPUs, and TensorFlow sees none here: ask for bfloat16, " +
      "which CPUs compute faster and which needs no loss scaling, or for float32"
  })

const tensorError = (cause: unknown, what: string): TensorError =>
  cause instanceof TraceError ? cause : executionError(cause, what)

/** Not interruptible: closing a session under a run in flight crashes the process. */
const runStep = (step: CompiledStep, feeds: RunFeeds<string>): Effect.Effect<Fetches<string>, TensorError> =>
  Effect.callback<Outcome, TensorError>((resume) => {
    const fail = (cause: unknown) =>
      resume(Effect.fail(tensorError(cause, "TensorFlow could not run the step")))
    try {
      step.run(feeds, (failure, outcome) =>
        outcome === undefined ? fail(failure) : resume(Effect.succeed(outcome))
      )
    } catch (cause) {
      fail(cause)
    }
  }).pipe(
    Effect.uninterruptible,
    Effect.tap(({ retraced }) =>
      retraced === "" ? Effect.void : Effect.logDebug(`A step was traced again: ${retraced}`)
    ),
    Effect.map(({ fetches }) => fetches)
  )

const readVariables = (
  workspace: Workspace,
  variables: ReadonlyArray<tf.Variable>
): Effect.Effect<ReadonlyArray<Float32Array>, ExecutionError> =>
  Effect.try({
    try: () => {
      workspace.synchronise()
      const cells = variables.map((variable) => workspace.variables.cellOf(variable))
      const bound = cells.filter((cell) => cell !== undefined)
      const values = new Map(workspace.variables.readAll(bound).map((read, index) => [bound[index], read]))
      return variables.map((variable, index) =>
        asFloats(values.get(cells[index]) ?? (variable.dataSync() as Values))
      )
    },
    catch: (cause) => executionError(cause, "The variables cannot be read")
  })

const asFloats = (values: Values): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values)
