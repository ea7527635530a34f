/**
 * Convolutions as operations of ours. How they were recorded is remembered with what they give, so that they
 * can be recorded once more, as one operation with what follows; their own nodes then nobody asks for.
 */
import type { Attributes } from "./attributes.ts"
import type { WindowShape } from "./CpuKernels.ts"
import type { DataType } from "./capi.ts"
import type { NodeInputs } from "./graph.ts"

export interface OwnConvolution {
  /** After `Distillery`. */
  readonly operation: string
  readonly inputs: NodeInputs
  readonly attributes: Attributes
  /** Of its activations. */
  readonly type: DataType
  readonly window: WindowShape
  /** Whether a residual can be added in the same operation. */
  readonly takesResidual: boolean
}

/** A depthwise convolution that was recorded with its normalisation: half of a separable one. */
export interface DepthwiseHalf {
  readonly inputs: NodeInputs
  readonly type: DataType
  readonly window: WindowShape
  readonly epsilon: number
  /** Its number in `cpu/batch-norm.h`. */
  readonly activation: number
}
