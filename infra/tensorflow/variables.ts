/**
 * Session variables: where the weights live while compiled steps run. A `tf.Variable` is bound to one when a
 * traced step first touches it, all steps of a runtime share it, and from then on its data id stands for the
 * session's value.
 */
import { tf } from "../../lib/tensor/tf.ts"
import { attribute } from "./attributes.ts"
import type { Output, Pointer } from "./capi.ts"
import type { Stored } from "./GraphBackend.ts"
import type { Graph } from "./graph.ts"
import type { Session } from "./session.ts"
import { bytesOf, dataTypeOf, type TfjsDtype, takeValues, type Values, writeTensor } from "./tensors.ts"

/** One variable of the session. */
export interface VariableCell {
  readonly variable: tf.Variable
  readonly dataId: object
  readonly shape: ReadonlyArray<number>
  readonly dtype: TfjsDtype
  readonly handle: Output
  /** Reads the value outside of any step. */
  readonly read: Output
  readonly upload: { readonly feed: Output; readonly assign: Pointer }
  /** Frees the session's memory for it. */
  readonly destroy: Pointer
}

/** Nodes that {@link Variables.bind} records. */
const NODES_PER_CELL = 5

/** A variable of its own in the place of a tensor. */
export const variableOf = (initial: tf.Tensor): tf.Variable => {
  const variable = tf.variable(initial)
  initial.dispose()
  return variable
}

export interface VariablesOptions {
  /** Called when values from outside have been written. */
  readonly onWrite: () => void
  /** Makes a tensor for first values. */
  readonly allocate: (shape: ReadonlyArray<number>, dtype: TfjsDtype) => Pointer
}

export class Variables {
  private readonly graph: Graph
  private readonly session: Session
  private readonly options: VariablesOptions
  private readonly cells = new Map<tf.Variable, VariableCell>()
  /** Keeps the bound data alive while a step assigns something else to the variable. */
  private readonly holds = new Map<object, tf.Tensor>()
  private uploads: Array<{ readonly cell: VariableCell; readonly values: Values }> = []
  private named = 0

  constructor(graph: Graph, session: Session, options: VariablesOptions) {
    this.graph = graph
    this.session = session
    this.options = options
  }

  cellOf(variable: tf.Variable): VariableCell | undefined {
    return this.cells.get(variable)
  }

  /** Nodes of the graph that the variables themselves are made of. */
  get numNodes(): number {
    return this.cells.size * NODES_PER_CELL
  }

  /** Keeps the data of a variable from vanishing when the traced step assigns to it. */
  hold(variable: tf.Variable): void {
    if (!this.holds.has(variable.dataId)) this.holds.set(variable.dataId, tf.keep(variable.clone()))
  }

  /** Gives back what was held for variables that no session variable came to stand for. */
  releaseUnbound(): void {
    const bound = new Set(Array.from(this.cells.values(), ({ dataId }) => dataId))
    for (const [dataId, tensor] of this.holds) {
      if (bound.has(dataId)) continue
      tensor.dispose()
      this.holds.delete(dataId)
    }
  }

  /** Lets go of all that is held; call once the session variables have been given values again. */
  release(): void {
    for (const tensor of this.holds.values()) tensor.dispose()
    this.holds.clear()
    this.cells.clear()
  }

  bind(variable: tf.Variable, dataId: object, stored: Stored): VariableCell {
    const type = { dtype: attribute.type(dataTypeOf(stored.dtype)) }
    const shape = { shape: attribute.shape(stored.shape) }
    this.named += 1
    const name = { shared_name: attribute.string(`variable_${this.named}`) }
    const handle = this.graph.output("VarHandleOp", [], { ...type, ...shape, ...name })
    const feed = this.graph.output("Placeholder", [], { ...type, ...shape })
    const cell: VariableCell = {
      variable,
      dataId,
      shape: stored.shape,
      dtype: stored.dtype,
      handle,
      read: this.graph.output("ReadVariableOp", [handle], type),
      upload: { feed, assign: this.graph.node("AssignVariableOp", [handle, feed], type) },
      destroy: this.graph.node("DestroyResourceOp", [handle])
    }
    this.cells.set(variable, cell)
    if (stored.values !== undefined) this.uploads.push({ cell, values: stored.values })
    stored.cell = cell
    stored.values = undefined
    stored.output = undefined
    stored.low = undefined
    return cell
  }

  /** Points a variable at its session variable again, whatever was assigned to it since. */
  restore(variable: tf.Variable): void {
    const dataId = this.cells.get(variable)?.dataId
    const held = dataId === undefined ? undefined : this.holds.get(dataId)
    if (held !== undefined && variable.dataId !== dataId) variable.assign(held)
  }

  /** Variables that code outside of steps has assigned to since the last run. */
  get reassigned(): ReadonlyArray<tf.Variable> {
    const changed: Array<tf.Variable> = []
    for (const { variable, dataId } of this.cells.values()) {
      if (variable.dataId !== dataId && !variable.isDisposed) changed.push(variable)
    }
    return changed
  }

  /** Takes the value that was assigned outside into the session. Call with the graph backend active. */
  adopt(variable: tf.Variable): void {
    const cell = this.cells.get(variable)
    if (cell === undefined) return
    this.uploads.push({ cell, values: variable.dataSync() as Values })
    this.restore(variable)
  }

  /** Writes all pending values in one run. */
  flush(): void {
    const pending = this.uploads
    if (pending.length === 0) return
    this.uploads = []
    const { library } = this.graph
    const tensors = pending.map(({ cell, values }) => {
      const tensor = this.options.allocate(cell.shape, cell.dtype)
      writeTensor(bytesOf(library, tensor), values)
      return tensor
    })
    try {
      this.session.run({
        feeds: pending.map(({ cell }) => cell.upload.feed),
        values: tensors,
        fetches: [],
        targets: pending.map(({ cell }) => cell.upload.assign)
      })
    } finally {
      this.options.onWrite()
      for (const tensor of tensors) library.call.TF_DeleteTensor(tensor)
    }
  }

  /** Those whose variables were disposed of. */
  get disposed(): ReadonlyArray<VariableCell> {
    return Array.from(this.cells.values()).filter(({ variable }) => variable.isDisposed)
  }

  /** Frees what the session keeps for them. Call while no step runs. */
  forget(cells: ReadonlyArray<VariableCell>): void {
    // One that was never written to has nothing to free, and TensorFlow would say so.
    this.flush()
    this.session.run({ feeds: [], values: [], fetches: [], targets: cells.map(({ destroy }) => destroy) })
    for (const { dataId, variable } of cells) {
      this.cells.delete(variable)
      this.holds.get(dataId)?.dispose()
      this.holds.delete(dataId)
    }
  }

  /** Variables still in use, each with its session variable. */
  get live(): ReadonlyArray<VariableCell> {
    return Array.from(this.cells.values()).filter(({ variable }) => !variable.isDisposed)
  }

  /** The values of several variables in one run. */
  readAll(cells: ReadonlyArray<VariableCell>): ReadonlyArray<Values> {
    this.flush()
    if (cells.length === 0) return []
    const fetches = cells.map(({ read }) => read)
    const fetched = this.session.run({ feeds: [], values: [], fetches, targets: [] })
    return fetched.map((tensor, index) =>
      takeValues(this.graph.library, tensor, cells[index]?.dtype ?? "float32")
    )
  }
}
