/** Runs a step once on the graph backend and turns what it did into a program for the session. */
import type { JitOptions, Precision, TensorSpec } from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { attribute } from "./attributes.ts"
import type { Output, Pointer } from "./capi.ts"
import type { GraphBackend } from "./GraphBackend.ts"
import type { Graph } from "./graph.ts"
import { Trace, TracingError } from "./Trace.ts"
import { dataTypeOf, type TfjsDtype } from "./tensors.ts"
import { guarded } from "./tracing-guard.ts"
import type { VariableCell, Variables } from "./variables.ts"

/** What tracing needs of a runtime. */
export interface TracingContext {
  readonly backendName: string
  readonly backend: GraphBackend
  readonly graph: Graph
  readonly variables: Variables
}

export interface ProgramInput {
  readonly name: string
  readonly spec: TensorSpec
  readonly feed: Output
}

export interface ProgramOutput {
  readonly name: string
  readonly fetch: Output
  readonly dtype: TfjsDtype
}

/** One traced step: what goes in, what comes out, and the assignments to run besides. */
export interface Program {
  readonly inputs: ReadonlyArray<ProgramInput>
  readonly outputs: ReadonlyArray<ProgramOutput>
  readonly assignments: ReadonlyArray<Pointer>
  /** The variables it reads or writes. */
  readonly cells: ReadonlyArray<VariableCell>
  /** The graph it is part of, and how many of its nodes it added. */
  readonly graph: Graph
  readonly nodes: number
}

export type Step = (inputs: never) => { readonly [name: string]: tf.Tensor }

/** Runs `use` with the graph backend as tfjs's current one, and puts the former one back. */
export const onGraphBackend = <A>(backendName: string, use: () => A): A => {
  const before = tf.getBackend()
  // The promise is for backends that start asynchronously; this one and the one before are there already.
  void tf.setBackend(backendName)
  try {
    return use()
  } finally {
    if (before !== undefined && before !== "") void tf.setBackend(before)
  }
}

/**
 * Traces `step`. Variables end up as they were: what the step assigns happens when the program runs.
 * Throws `TracingError` or `TensorFlowFailure`.
 */
export const traceStep = (context: TracingContext, step: Step, options: JitOptions<string>): Program =>
  onGraphBackend(context.backendName, () => {
    const { backend, variables } = context
    const registered = registeredVariables()
    const trace = openTrace(context, registered, options.precision)
    backend.trace = trace
    try {
      return guarded(() => record(context, trace, registered, step, options))
    } finally {
      for (const variable of registered) variables.restore(variable)
      backend.trace = undefined
      variables.releaseUnbound()
    }
  })

const registeredVariables = (): ReadonlyArray<tf.Variable> =>
  Object.values(tf.engine().state.registeredVariables).filter(({ isDisposed }) => !isDisposed)

const openTrace = (
  { graph, variables }: TracingContext,
  registered: ReadonlyArray<tf.Variable>,
  precision: Precision
): Trace => {
  const trace = new Trace(graph, variables, precision)
  for (const variable of registered) {
    variables.hold(variable)
    if (variables.cellOf(variable) === undefined) trace.offer(variable)
  }
  return trace
}

const record = (
  context: TracingContext,
  trace: Trace,
  registered: ReadonlyArray<tf.Variable>,
  step: Step,
  options: JitOptions<string>
): Program => {
  const { backend, graph, variables } = context
  const sizeBefore = graph.size - variables.numNodes
  const before = registered.map(({ dataId }) => dataId)
  const inputs = placeholders(context, options)
  const tensors = inputs.map(({ name, feed }) => [
    name,
    tf.engine().makeTensorFromTensorInfo(backend.wrap(feed))
  ])
  const results = checkedResults(step(Object.fromEntries(tensors) as never))
  trace.refuseReads()
  const outputs = Object.entries(results).map(([name, tensor]) => ({
    name,
    fetch: fetchable(context, backend.output(tensor), tensor.dtype),
    dtype: tensor.dtype as TfjsDtype
  }))
  const assignments = registered.flatMap((variable, index) =>
    variable.dataId === before[index] ? [] : [assignment(context, trace, variable, before[index] as object)]
  )
  const nodes = graph.size - variables.numNodes - sizeBefore
  return { inputs, outputs, assignments, cells: trace.cells, graph, nodes }
}

/** The outputs by name, if that is what the step gave back. */
export const checkedResults = <R extends { readonly [name: string]: tf.Tensor }>(results: R): R => {
  const stray = Object.entries(results).find(([, tensor]) => !(tensor instanceof tf.Tensor))
  if (stray !== undefined) throw new TracingError(`the step gave back "${stray[0]}", which is not a tensor`)
  if ((results as object) instanceof Promise) {
    throw new TracingError("the step is asynchronous, and what it would do later cannot be traced")
  }
  return results
}

/** TensorFlow refuses to fetch what is fed; a node in between makes it another tensor. */
const fetchable = ({ graph }: TracingContext, output: Output, dtype: string): Output =>
  graph.mayShareInput(output)
    ? graph.output("Identity", [output], { T: attribute.type(dataTypeOf(dtype)) })
    : output

const placeholders = ({ graph }: TracingContext, options: JitOptions<string>): ReadonlyArray<ProgramInput> =>
  Object.entries(options.inputs).map(([name, spec]) => ({
    name,
    spec,
    feed: graph.output("Placeholder", [], {
      dtype: attribute.type(dataTypeOf(spec.dtype)),
      shape: attribute.shape(spec.shape)
    })
  }))

/** The node that writes a variable's new value, after every read of the old one. */
const assignment = (
  { backend, graph }: TracingContext,
  trace: Trace,
  variable: tf.Variable,
  before: object
): Pointer => {
  const value = backend.output(variable)
  const stored = backend.stored({ dataId: before })
  const cell = stored.cell ?? trace.bind(before, stored)
  if (cell === undefined) throw new TracingError(`variable "${variable.name}" is not registered`)
  // A copy, since the session would otherwise share the memory of an input, which the next run overwrites.
  const type = attribute.type(dataTypeOf(cell.dtype))
  trace.writes(cell)
  const own = graph.mayShareInput(value) ? graph.output("DeepCopy", [value], { T: type }) : value
  return graph.node("AssignVariableOp", [cell.handle, own], { dtype: type }, trace.readersOf(cell))
}
