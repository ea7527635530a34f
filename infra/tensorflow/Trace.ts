/**
 * What one tracing of a step remembers: which session variables it read, and in which precision it computes.
 */
import type { Precision } from "../../lib/tensor/Runtime.ts"
import type { tf } from "../../lib/tensor/tf.ts"
import { attribute } from "./attributes.ts"
import { DataType, type Output } from "./capi.ts"
import type { Stored } from "./GraphBackend.ts"
import type { Graph } from "./graph.ts"
import { dataTypeOf } from "./tensors.ts"
import type { VariableCell, Variables } from "./variables.ts"

/** The step cannot be traced; becomes a `TraceError` at the border, which names operation and line. */
export class TracingError extends Error {
  override readonly name = "TracingError"
}

/** The types with half the bits of float32. */
export type LowType = typeof DataType.bfloat16 | typeof DataType.float16

export class Trace {
  readonly precision: Precision
  /** What low precision is in this trace. */
  readonly lowType: LowType
  private readonly graph: Graph
  private readonly variables: Variables
  /**
   * Registered variables that no session variable stands for yet, by the data they hold as the trace begins.
   */
  private readonly unbound = new Map<object, tf.Variable>()
  private readonly reads = new Map<VariableCell, Output>()
  private readonly lowReads = new Map<VariableCell, Output>()
  private readonly written = new Set<VariableCell>()
  private refused: TracingError | undefined

  constructor(graph: Graph, variables: Variables, precision: Precision) {
    this.graph = graph
    this.variables = variables
    this.precision = precision
    this.lowType = precision === "float16" ? DataType.float16 : DataType.bfloat16
  }

  /** Lets the step use a variable: it becomes one of the session when it is first read. */
  offer(variable: tf.Variable): void {
    this.unbound.set(variable.dataId, variable)
  }

  /** The session variable for a data id, made now if a registered variable holds that data. */
  bind(dataId: object, stored: Stored): VariableCell | undefined {
    const variable = this.unbound.get(dataId)
    if (variable === undefined) return undefined
    this.unbound.delete(dataId)
    return this.variables.bind(variable, dataId, stored)
  }

  /** The value of a variable at the beginning of the run; read once however often it is used. */
  read(cell: VariableCell): Output {
    const known = this.reads.get(cell)
    if (known !== undefined) return known
    const read = this.graph.output("ReadVariableOp", [cell.handle], {
      dtype: attribute.type(dataTypeOf(cell.dtype))
    })
    this.reads.set(cell, read)
    return read
  }

  readLow(cell: VariableCell): Output {
    const known = this.lowReads.get(cell)
    if (known !== undefined) return known
    const low = this.graph.cast(this.read(cell), DataType.float32, this.lowType)
    this.lowReads.set(cell, low)
    return low
  }

  writes(cell: VariableCell): void {
    this.written.add(cell)
  }

  /** The variables it reads or writes. */
  get cells(): ReadonlyArray<VariableCell> {
    return [...new Set([...this.reads.keys(), ...this.written])]
  }

  /** Notes that values were asked for by a promise, which cannot carry an error to the step. */
  refuse(error: TracingError): void {
    this.refused ??= error
  }

  refuseReads(): void {
    if (this.refused !== undefined) throw this.refused
  }

  /** Nodes that must run before the variable is overwritten. */
  readersOf(cell: VariableCell): ReadonlyArray<bigint> {
    const read = this.reads.get(cell)
    return read === undefined ? [] : [read.oper]
  }
}
