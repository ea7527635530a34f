/**
 * The tensor runtime on TensorFlow itself: each step is traced into a graph once and then runs as one call.
 */
import { basename } from "node:path"
import { Effect, Layer } from "effect"
import {
  type Compiled,
  type ExecutionError,
  type Feeds,
  type Fetches,
  type JitOptions,
  TensorRuntime,
  type TraceError
} from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { CpuKernels } from "./CpuKernels.ts"
import { type Pointer, TensorFlow } from "./capi.ts"
import { executionError, traceError } from "./errors.ts"
import { checkedFeed } from "./feeds.ts"
import { GraphBackend } from "./GraphBackend.ts"
import { Graph } from "./graph.ts"
import { registerKernels, unregisterKernels } from "./kernels/all.ts"
import { startWasm } from "./portable/wasm.ts"
import { Session } from "./session.ts"
import { allocateTensor, bytesOf, takeValues, type Values, writeTensor } from "./tensors.ts"
import { onGraphBackend, type Program, type Step, type TracingContext, traceStep } from "./trace-step.ts"
import { Variables } from "./variables.ts"

export interface NativeOptions {
  /** Where the two shared objects lie (see `library.ts`). */
  readonly library: { readonly directory: string; readonly api: string; readonly framework: string }
  /** Threads that one operation may use. */
  readonly threads: number
  /** The object compiled from our kernels (see `cpu-library.ts`); absent: TensorFlow's serve. */
  readonly kernels?: string | undefined
}

/** A `TensorRuntime` whose graph and session live as long as the layer. */
export const layerNative = (options: NativeOptions): Layer.Layer<TensorRuntime, ExecutionError> =>
  Layer.effect(TensorRuntime, makeNativeRuntime(options))

export const makeNativeRuntime = Effect.fn("NativeRuntime.make")(function* (options: NativeOptions) {
  const library = yield* Effect.try({
    try: () => TensorFlow.load(options.library),
    catch: (cause) => executionError(cause, `TensorFlow cannot be loaded from ${options.library.directory}`)
  })
  // Eager code (building weights, looking at results) needs a backend that computes.
  yield* startWasm
  const native = yield* Effect.acquireRelease(
    Effect.try({
      try: () => openNative(library, options),
      catch: (cause) => executionError(cause, "The native runtime cannot be started")
    }),
    (opened) => Effect.sync(() => closeNative(opened))
  )
  return TensorRuntime.of({
    numerics: {
      backend: "tensorflow",
      library: `tensorflow ${library.version}${kernelsName(options)}`,
      threads: options.threads
    },
    precisions: ["float32", "bfloat16"],
    jit: (step, jitOptions) => compile(native, step, jitOptions),
    read: (variables) => readVariables(native, variables)
  })
})

/** Ours are named by what they were compiled of. */
const kernelsName = ({ kernels }: NativeOptions): string =>
  kernels === undefined ? "" : `, kernels ${basename(kernels, ".so")}`

interface Native extends TracingContext {
  readonly library: TensorFlow
  readonly session: Session
}

let opened = 0

const openNative = (library: TensorFlow, { kernels, threads }: NativeOptions): Native => {
  // Before the graph, which knows the operations that are registered by then.
  const cpu = kernels === undefined ? undefined : CpuKernels.load(library, kernels, threads)
  const graph = new Graph(library)
  const session = new Session(graph, threads)
  const variables = new Variables(graph, session)
  const backend = new GraphBackend(graph, cpu, (cell) => variables.readAll([cell])[0] as Values)
  // Each runtime is a backend of its own: two may live side by side in tests.
  opened += 1
  const backendName = `tensorflow-graph-${opened}`
  registerKernels(backendName)
  tf.registerBackend(backendName, () => backend, 0)
  return { library, graph, session, variables, backend, backendName }
}

/** Variables outlive the session: their last values come back to this side before it closes. */
const closeNative = ({ backendName, backend, variables, session, graph }: Native): void => {
  backend.reclaim()
  const cells = variables.live
  backend.settle(cells, variables.readAll(cells))
  variables.release()
  unregisterKernels(backendName)
  tf.removeBackend(backendName)
  session.close()
  graph.close()
}

const compile = <I extends string, O extends string>(
  native: Native,
  step: (inputs: { readonly [K in I]: tf.Tensor }) => { readonly [K in O]: tf.Tensor },
  options: JitOptions<I>
): Effect.Effect<Compiled<I, O>, TraceError> =>
  Effect.try({
    try: () => {
      const program = traceStep(native, step as Step, options)
      native.variables.flush()
      const buffers = program.inputs.map(({ spec }) => allocateTensor(native.library, spec.shape, spec.dtype))
      return { run: (feeds: Feeds<I>) => runProgram<O>(native, program, buffers, feeds) }
    },
    catch: traceError
  })

/** Not interruptible: closing a session under a run in flight crashes the process. */
const runProgram = <O extends string>(
  native: Native,
  program: Program,
  buffers: ReadonlyArray<Pointer>,
  feeds: Feeds<string>
): Effect.Effect<Fetches<O>, ExecutionError> =>
  Effect.callback<Fetches<O>, ExecutionError>((resume) => {
    const fail = (cause: unknown) =>
      resume(Effect.fail(executionError(cause, "TensorFlow could not run the step")))
    try {
      synchronise(native)
      program.inputs.forEach(({ name, spec }, index) => {
        writeTensor(bytesOf(native.library, buffers[index] as Pointer), checkedFeed(name, spec, feeds))
      })
    } catch (cause) {
      return fail(cause)
    }
    const request = {
      feeds: program.inputs.map(({ feed }) => feed),
      values: buffers,
      fetches: program.outputs.map(({ fetch }) => fetch),
      targets: program.assignments
    }
    native.session.runAsync(request, (failure, fetched) => {
      native.backend.reclaim()
      if (failure !== null) return fail(failure)
      resume(Effect.succeed(fetchesOf<O>(native, program, fetched)))
    })
  }).pipe(Effect.uninterruptible)

/** Takes in what eager code assigned to variables since the last run. */
const synchronise = ({ backendName, backend, variables }: Native): void => {
  const { reassigned } = variables
  if (reassigned.length > 0) {
    onGraphBackend(backendName, () => {
      backend.reclaim()
      for (const variable of reassigned) variables.adopt(variable)
    })
  }
  variables.flush()
}

const fetchesOf = <O extends string>(
  { library }: Native,
  program: Program,
  fetched: ReadonlyArray<Pointer>
): Fetches<O> => {
  const values = program.outputs.map(({ name, dtype }, index) => [
    name,
    takeValues(library, fetched[index] as Pointer, dtype)
  ])
  return Object.fromEntries(values) as Fetches<O>
}

const readVariables = (
  native: Native,
  variables: ReadonlyArray<tf.Variable>
): Effect.Effect<ReadonlyArray<Float32Array>, ExecutionError> =>
  Effect.try({
    try: () => {
      synchronise(native)
      const cells = variables.map((variable) => native.variables.cellOf(variable))
      const bound = cells.filter((cell) => cell !== undefined)
      const values = new Map(native.variables.readAll(bound).map((read, index) => [bound[index], read]))
      return variables.map((variable, index) =>
        asFloats(values.get(cells[index]) ?? (variable.dataSync() as Values))
      )
    },
    catch: (cause) => executionError(cause, "The variables cannot be read")
  })

const asFloats = (values: Values): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values)
