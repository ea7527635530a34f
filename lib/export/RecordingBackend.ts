/**
 * A tfjs backend whose kernels compute nothing: they record what a network does as nodes of an inference
 * graph. It needs no library, so it records in a browser as well.
 */
import { tf } from "../tensor/tf.ts"
import { BATCH, ExportUnsupported, type Node, type Operation } from "./InferenceGraph.ts"

/**
 * How many images the recorded batch has: a prime larger than any other extent, so that an extent that hangs
 * on the batch is known by it. Nothing is computed, so it costs nothing.
 */
export const RECORDED_BATCH = 1_000_003

export class RecordingBackend extends tf.KernelBackend {
  readonly #nodes = new Map<object, Node>()

  /** The node that a tensor stands for. */
  nodeOf({ dataId }: { readonly dataId: object }): Node {
    const node = this.#nodes.get(dataId)
    if (node === undefined) throw new Error("A tensor that was made before the recording cannot be recorded.")
    return node
  }

  /** A tensor for what an operation makes of others; `shape` with the recorded batch. */
  record(operation: Operation, inputs: ReadonlyArray<tf.TensorInfo>, shape: ReadonlyArray<number>) {
    const read = inputs.map((input) => this.nodeOf(input))
    const varies = operation.kind === "Input" || read.some((node) => node.shape[0] === BATCH)
    const extents = varies ? withBatch(operation, shape) : shape
    return this.wrap({ operation, inputs: read, shape: extents }, shape)
  }

  wrap(node: Node, shape: ReadonlyArray<number>): tf.TensorInfo {
    const dataId = {}
    this.#nodes.set(dataId, node)
    return { dataId, shape: [...shape], dtype: "float32" }
  }

  constant(values: Float32Array, shape: ReadonlyArray<number>, name?: string): tf.TensorInfo {
    const operation = { kind: "Constant", values } as const
    return this.wrap({ operation, inputs: [], shape, ...(name !== undefined && { name }) }, shape)
  }

  /** A second tensor for the same node. */
  share(tensor: tf.TensorInfo, shape: ReadonlyArray<number> = tensor.shape): tf.TensorInfo {
    return this.wrap(this.nodeOf(tensor), shape)
  }

  // What follows is tfjs's backend interface.

  override write(values: tf.BackendValues, shape: Array<number>, dtype: tf.DataType): object {
    if (dtype !== "float32") {
      throw new ExportUnsupported({ operation: "a constant", reason: `of type ${dtype} cannot be recorded` })
    }
    return this.constant(Float32Array.from(values as ArrayLike<number>), shape).dataId
  }

  override readSync(): Float32Array {
    throw new ExportUnsupported({
      operation: "dataSync",
      reason: "reads values while the network is recorded, and there are none"
    })
  }

  override disposeData(): boolean {
    return true
  }

  override refCount(): number {
    return 1
  }

  override incRef(): void {}

  override numDataIds(): number {
    return this.#nodes.size
  }

  override floatPrecision(): 16 | 32 {
    return 32
  }

  override epsilon(): number {
    return 1e-7
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true }
  }

  override timerAvailable(): boolean {
    return false
  }

  override dispose(): void {}
}

/** The shape with the batch left open. Images must stay apart, or there would be no other batch size. */
const withBatch = ({ kind }: Operation, [first, ...rest]: ReadonlyArray<number>): ReadonlyArray<number> => {
  if (first !== RECORDED_BATCH || rest.some((extent) => extent > 0 && extent % RECORDED_BATCH === 0)) {
    throw new ExportUnsupported({ operation: kind, reason: "mixes the images of a batch" })
  }
  return [BATCH, ...rest]
}
