/** Runs a step once on the graph backend and turns what it did into a program for the session. */
import type { JitOptions, Precision, TensorSpec } from "../../lib/tensor/Runtime.ts"
import { tf } from "../../lib/tensor/tf.ts"
import { attribute } from "./attributes.ts"
import type { Output, Pointer } from "./capi.ts"
import type { GraphBackend } from "./GraphBackend.ts"
import type { Graph } from "./graph.ts"
import { Trace, TracingError } from "./Trace.ts"
import { dataTypeOf, type TfjsDtype } from "./tensors.ts"
import type { Variables } from "./variables.ts"

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
    backend.reclaim()
    for (const variable of variables.reassigned) variables.adopt(variable)
    const registered = registeredVariables()
    const trace = openTrace(context, registered, options.precision)
    backend.trace = trace
    try {
      // tfjs would look for tensors in what a tidy returns, and a program is not made of any.
      let program: Program | undefined
      tf.tidy(() => {
        program = record(context, trace, registered, step, options)
      })
      return program as Program
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
  const { backend } = context
  const before = registered.map(({ dataId }) => dataId)
  const inputs = placeholders(context, options)
  const tensors = inputs.map(({ name, feed }) => [
    name,
    tf.engine().makeTensorFromTensorInfo(backend.wrap(feed))
  ])
  const results = step(Object.fromEntries(tensors) as never)
  refuseNewVariables(registered)
  const outputs = Object.entries(results).map(([name, tensor]) => ({
    name,
    fetch: fetchable(context, backend.output(tensor), tensor.dtype),
    dtype: tensor.dtype as TfjsDtype
  }))
  const assignments = registered.flatMap((variable, index) =>
    variable.dataId === before[index] ? [] : [assignment(context, trace, variable, before[index] as object)]
  )
  return { inputs, outputs, assignments }
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
  if (cell === undefined) throw new TracingError("assign", `variable "${variable.name}" is not registered`)
  // A copy, since the session would otherwise share the memory of an input, which the next run overwrites.
  const type = attribute.type(dataTypeOf(cell.dtype))
  const own = graph.mayShareInput(value) ? graph.output("DeepCopy", [value], { T: type }) : value
  return graph.node("AssignVariableOp", [cell.handle, own], { dtype: type }, trace.readersOf(cell))
}

const refuseNewVariables = (registered: ReadonlyArray<tf.Variable>): void => {
  const known = new Set(registered)
  const made = registeredVariables().filter((variable) => !known.has(variable))
  if (made.length === 0) return
  const names = made.map(({ name }) => `"${name}"`).join(", ")
  for (const variable of made) variable.dispose()
  throw new TracingError(
    "variable",
    `the step makes variables (${names}), which a traced step cannot: make them before the step is compiled`
  )
}
