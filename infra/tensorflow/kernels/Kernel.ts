/** How a tfjs kernel is written down for the graph backend. */

import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import type { TfjsDtype } from "../tensors.ts"

export type Inputs = { readonly [name: string]: TensorInfo | undefined }

/** One tfjs kernel: its name and how it is recorded. */
export interface Kernel {
  readonly name: string
  readonly record: (backend: GraphBackend, inputs: never, attrs: never) => TensorInfo | Array<TensorInfo>
}

/** A kernel with the inputs and attributes that tfjs-core calls it with. */
export const kernel = <I, A = unknown>(
  name: string,
  record: (backend: GraphBackend, inputs: I, attrs: A) => TensorInfo | Array<TensorInfo>
): Kernel => ({ name, record })

export interface Unary {
  readonly x: TensorInfo
}

export interface Binary {
  readonly a: TensorInfo
  readonly b: TensorInfo
}

export type Dtype = TfjsDtype
