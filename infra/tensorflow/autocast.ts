/**
 * Mixed precision decided while tracing: tfjs sees float32 everywhere, while nodes may be bfloat16 or float16
 * inside, with casts where they meet. Weights, statistics of batch norm, sums and the loss stay float32.
 */
import type { Attributes } from "./attributes.ts"
import { attribute } from "./attributes.ts"
import type { DataType, Output } from "./capi.ts"
import type { GraphBackend, TensorInfo } from "./GraphBackend.ts"
import type { NodeInputs } from "./graph.ts"
import { dataTypeOf } from "./tensors.ts"

/** The arithmetic of one node: its type, and its inputs in that type. */
export interface Arithmetic {
  readonly type: DataType
  readonly input: (tensor: TensorInfo) => Output
  /** Records the node with attribute `T`. */
  readonly emit: (type: string, inputs: NodeInputs, attributes?: Attributes) => TensorInfo
}

/**
 * For the operations that autocast is for (convolutions, large matrix products): low if the trace asks for
 * it.
 */
export const heavy = (backend: GraphBackend, ...tensors: ReadonlyArray<TensorInfo>): Arithmetic =>
  arithmetic(backend, tensors, (backend.trace?.precision ?? "float32") !== "float32")

/**
 * For TensorFlow's convolutions. Those of fewer than 16 channels stay in float32: oneDNN has no fast kernels
 * for them in bfloat16, which made a step of ResNet-8 with 8 channels four times slower than in float32.
 */
export const convolving = (
  backend: GraphBackend,
  { inChannels, outChannels }: { readonly inChannels: number; readonly outChannels: number },
  ...tensors: ReadonlyArray<TensorInfo>
): Arithmetic => {
  const isNarrow =
    outChannels < FEWEST_CHANNELS || (inChannels < FEWEST_CHANNELS && inChannels > IMAGE_CHANNELS)
  return isNarrow && backend.trace?.precision === "bfloat16"
    ? arithmetic(backend, tensors, false)
    : heavy(backend, ...tensors)
}

const FEWEST_CHANNELS = 16
/** Those of images do not matter: nothing is computed for their gradient. */
const IMAGE_CHANNELS = 4

/** For what a library cannot compute low. */
export const exact = (backend: GraphBackend, ...tensors: ReadonlyArray<TensorInfo>): Arithmetic =>
  arithmetic(backend, tensors, false)

/** For cheap operations between heavy ones: low if all their inputs were computed so, thus without casts. */
export const light = (backend: GraphBackend, ...tensors: ReadonlyArray<TensorInfo>): Arithmetic =>
  arithmetic(
    backend,
    tensors,
    tensors.every((tensor) => backend.stored(tensor).computedLow === true)
  )

const arithmetic = (
  backend: GraphBackend,
  tensors: ReadonlyArray<TensorInfo>,
  wanted: boolean
): Arithmetic => {
  const first = tensors[0]
  const low = wanted && tensors.every(({ dtype }) => dtype === "float32")
  const type = low ? backend.lowType : dataTypeOf(first?.dtype ?? "float32")
  return {
    type,
    input: (tensor) => (low ? backend.lowOutput(tensor) : backend.output(tensor)),
    emit: (name, inputs, attributes) => backend.emit(name, inputs, { T: attribute.type(type), ...attributes })
  }
}
