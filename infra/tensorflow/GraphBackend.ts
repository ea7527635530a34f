/**
 * A tfjs backend whose kernels compute nothing: they record nodes into a TensorFlow graph. Ordinary tfjs code
 * run on it (forward pass, tfjs's own gradient tape, optimizer update) leaves behind a graph that a session
 * runs as a whole.
 */
import { tf } from "../../lib/tensor/tf.ts"
import { type Attributes, attribute } from "./attributes.ts"
import type { CpuKernels } from "./CpuKernels.ts"
import { DataType, type Output } from "./capi.ts"
import type { Graph, NodeInputs } from "./graph.ts"
import type { DepthwiseHalf, OwnConvolution } from "./OwnConvolution.ts"
import { disposedOf, ofAnotherTrace, withoutValues } from "./refusals.ts"
import { type LowType, type Trace, TracingError } from "./Trace.ts"
import { dataTypeOf, dtypeOf, type TfjsDtype, type Values, valuesOf } from "./tensors.ts"
import type { VariableCell } from "./variables.ts"

/** What stands behind a tfjs data id: known values, or a node, or a variable of the session. */
export interface Stored {
  readonly shape: ReadonlyArray<number>
  readonly dtype: TfjsDtype
  refCount: number
  values?: Values | undefined
  /** The node in tfjs's own dtype. */
  output?: Output | undefined
  /** The same tensor in the trace's low type: the source if `computedLow`, else a cast made when wanted. */
  low?: Output | undefined
  readonly computedLow?: boolean
  cell?: VariableCell | undefined
  /** The trace whose placeholders this node hangs on; a constant belongs to none. */
  readonly trace?: Trace | undefined
  /** Where a constant was recorded, and in which low type. */
  graph?: Graph
  lowType?: LowType
  /** Set on what a convolution of ours gives, and on what a depthwise one gives that is normalised. */
  convolution?: OwnConvolution
  depthwiseHalf?: DepthwiseHalf
  /** Set on the input of a ReLU: what came out of it. */
  rectified?: Stored
  /** Set on `step(x)`: the tensor whose positive entries it marks (see `Multiply`). */
  marksPositive?: Stored
}

/** Every tensor of tfjs has at least these. */
export type TensorInfo = tf.TensorInfo

export class GraphBackend extends tf.KernelBackend {
  /** Replaced when a runtime starts anew. */
  graph: Graph
  /** Our kernels; absent where they could not be compiled, and TensorFlow's serve. */
  private readonly ownKernels: CpuKernels | undefined
  /** The trace in progress. */
  trace: Trace | undefined
  private readonly data: tf.DataStorage<Stored>
  private readonly readCell: (cell: VariableCell) => Values
  /** Data ids of session variables that another backend holds a copy of. */
  private readonly lent = new Set<object>()

  constructor(graph: Graph, cpu: CpuKernels | undefined, readCell: (cell: VariableCell) => Values) {
    super()
    this.graph = graph
    this.ownKernels = cpu
    this.readCell = readCell
    this.data = new tf.DataStorage<Stored>(this, tf.engine())
  }

  /** Our kernels, where they serve: they know nothing of float16. */
  get cpu(): CpuKernels | undefined {
    return this.trace?.precision === "float16" ? undefined : this.ownKernels
  }

  /** The low type of the trace in progress. */
  get lowType(): LowType {
    return this.tracing().lowType
  }

  stored({ dataId }: { readonly dataId: object }): Stored {
    if (!(this.data.has(dataId) || tf.engine().state.tensorInfo.has(dataId))) {
      throw disposedOf()
    }
    return this.data.get(dataId)
  }

  /** The node of a tensor in tfjs's dtype. */
  output(tensor: TensorInfo): Output {
    const stored = this.stored(tensor)
    this.refuseStale(stored)
    const cell = this.cellOf(tensor, stored)
    if (cell !== undefined) return this.tracing().read(cell)
    this.forgetOther(stored)
    stored.output ??=
      stored.low === undefined
        ? this.graph.constant(stored.values ?? new Float32Array(0), stored.shape, stored.dtype)
        : this.graph.cast(stored.low, this.lowType, DataType.float32)
    return stored.output
  }

  /** The node of a float32 tensor in the trace's low type. */
  lowOutput(tensor: TensorInfo): Output {
    const stored = this.stored(tensor)
    this.refuseStale(stored)
    const cell = this.cellOf(tensor, stored)
    if (cell !== undefined) return this.tracing().readLow(cell)
    this.forgetOther(stored)
    stored.low ??= this.graph.cast(this.output(tensor), DataType.float32, this.lowType)
    return stored.low
  }

  /** A new tfjs tensor for a node; those of low type look like float32 to tfjs. */
  wrap(output: Output): TensorInfo {
    const { shape, type } = this.graph.describe(output)
    const low = type === DataType.bfloat16 || type === DataType.float16
    const dtype = low ? "float32" : dtypeOf(type)
    const source = low ? { low: output, computedLow: true } : { output }
    const dataId = {}
    this.data.set(dataId, { shape, dtype, refCount: 1, trace: this.trace, ...source })
    return { dataId, shape, dtype }
  }

  /** Records a node and wraps its first output. */
  emit(type: string, inputs: NodeInputs, attributes?: Attributes): TensorInfo {
    return this.wrap(this.graph.output(type, inputs, attributes))
  }

  /** Records a node and wraps its first `count` outputs. */
  emitMany(type: string, inputs: NodeInputs, attributes: Attributes, count: number): Array<TensorInfo> {
    const oper = this.graph.node(type, inputs, attributes)
    return Array.from({ length: count }, (_, index) => this.wrap({ oper, index }))
  }

  /** Records an operation of ours, `Distillery<name>`, and wraps its outputs, whose shapes it is told. */
  emitOwn(
    name: string,
    inputs: NodeInputs,
    attributes: Attributes,
    shapes: ReadonlyArray<ReadonlyArray<number>>
  ): Array<TensorInfo> {
    const oper = this.graph.node(`Distillery${name}`, inputs, attributes)
    return shapes.map((shape, index) => {
      this.graph.declareShape({ oper, index }, shape)
      return this.wrap({ oper, index })
    })
  }

  /** The same data under a second handle. */
  share(tensor: TensorInfo): TensorInfo {
    this.incRef(tensor.dataId)
    return { dataId: tensor.dataId, shape: tensor.shape, dtype: tensor.dtype }
  }

  /** Known values as a tensor. */
  literal(values: ArrayLike<number>, shape: Array<number>, dtype: TfjsDtype): TensorInfo {
    return { dataId: this.write(valuesOf(dtype, values), shape, dtype), shape, dtype }
  }

  /** `{ T: ... }`, the attribute most operations have. */
  typeOf(tensor: TensorInfo): Attributes {
    return { T: attribute.type(dataTypeOf(tensor.dtype)) }
  }

  // What follows is tfjs's backend interface.

  override write(values: tf.BackendValues, shape: Array<number>, dtype: tf.DataType): object {
    const dataId = {}
    this.move(dataId, values, shape, dtype, 1)
    return dataId
  }

  override move(
    dataId: object,
    values: tf.BackendValues,
    shape: Array<number>,
    dtype: tf.DataType,
    refCount: number
  ): void {
    dataTypeOf(dtype)
    const own = valuesOf(dtype as TfjsDtype, values as ArrayLike<number>)
    this.data.set(dataId, { values: own, shape, dtype: dtype as TfjsDtype, refCount })
  }

  override readSync(dataId: object): Values {
    const stored = this.data.get(dataId)
    if (stored.values !== undefined) return stored.values
    if (stored.cell !== undefined && this.trace === undefined) return this.readCell(stored.cell)
    throw withoutValues(stored, this.trace !== undefined)
  }

  override read(dataId: object): Promise<Values> {
    const stored = this.data.get(dataId)
    if (this.trace === undefined || stored.values !== undefined) {
      return Promise.resolve().then(() => this.readSync(dataId))
    }
    // Whoever waits for it would hear of a failure too late; the trace itself fails once the step returns.
    this.trace.refuse(withoutValues(stored, true))
    return new Promise(() => undefined)
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.data.has(dataId)) return true
    const stored = this.data.get(dataId)
    if (force && stored.cell !== undefined) {
      // tfjs moves the data to the backend that wants to use it; the session keeps the original.
      this.lent.add(dataId)
      return true
    }
    stored.refCount -= 1
    if (!force && stored.refCount > 0) return false
    this.data.delete(dataId)
    return true
  }

  /** Takes variables back that eager code on another backend has read: its copies are stale after a run. */
  reclaim(): void {
    for (const dataId of this.lent) {
      const info = tf.engine().state.tensorInfo.get(dataId)
      if (info !== undefined && info.backend !== this) {
        this.data.get(dataId).refCount = info.backend.refCount(dataId)
        info.backend.disposeData(dataId, true)
        info.backend = this
      }
    }
    this.lent.clear()
  }

  /** Gives session variables known values instead, for when the session is about to close. */
  settle(cells: ReadonlyArray<VariableCell>, values: ReadonlyArray<Values>): void {
    cells.forEach(({ dataId }, index) => {
      const stored = this.data.get(dataId)
      stored.values = values[index]
      stored.cell = undefined
    })
  }

  override refCount(dataId: object): number {
    return this.data.has(dataId) ? this.data.get(dataId).refCount : 0
  }

  override incRef(dataId: object): void {
    this.data.get(dataId).refCount += 1
  }

  decRef(dataId: object): void {
    if (this.data.has(dataId)) this.data.get(dataId).refCount -= 1
  }

  override numDataIds(): number {
    return this.data.numDataIds()
  }

  override floatPrecision(): 16 | 32 {
    return 32
  }

  override epsilon(): number {
    return EPSILON
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true }
  }

  override timerAvailable(): boolean {
    return false
  }

  override dispose(): void {}

  private cellOf(tensor: TensorInfo, stored: Stored): VariableCell | undefined {
    return stored.cell ?? this.trace?.bind(tensor.dataId, stored)
  }

  private tracing(): Trace {
    if (this.trace === undefined) throw new TracingError("the graph backend works inside a trace only")
    return this.trace
  }

  private refuseStale(stored: Stored): void {
    if (stored.trace === undefined || stored.trace === this.trace) return
    throw ofAnotherTrace(stored)
  }

  /** Known values are recorded again in a new graph, and for another low type. */
  private forgetOther(stored: Stored): void {
    if (stored.trace !== undefined) return
    if (stored.graph !== this.graph) stored.output = undefined
    if (stored.graph !== this.graph || stored.lowType !== this.lowType) stored.low = undefined
    stored.graph = this.graph
    stored.lowType = this.lowType
  }
}

/** What tfjs takes for the smallest float that matters, the same as its other float32 backends. */
const EPSILON = 1e-7
