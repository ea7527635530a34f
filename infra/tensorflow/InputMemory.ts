/**
 * Arrays of a step's inputs in TensorFlow's own memory: what is written there is fed without a copy.
 */
import type { Feed, Feeds, TensorSpec } from "../../lib/tensor/Runtime.ts"
import type { Pointer, TensorFlow } from "./capi.ts"
import type { CheckedFeed } from "./feeds.ts"
import { allocateTensor, bytesOf, writeTensor } from "./tensors.ts"

export class InputMemory {
  private readonly library: TensorFlow
  /** Tensors whose memory was handed out, by the array that shows it. */
  private readonly lent = new Map<Feed, Pointer>()

  constructor(library: TensorFlow) {
    this.library = library
  }

  /** One array of zeros for each input. */
  allocate(inputs: Readonly<Record<string, TensorSpec>>): Feeds<string> {
    return Object.fromEntries(
      Object.entries(inputs).map(([name, { dtype, shape }]) => {
        const tensor = allocateTensor(this.library, shape, dtype)
        const { buffer } = bytesOf(this.library, tensor)
        const values = dtype === "float32" ? new Float32Array(buffer) : new Int32Array(buffer)
        this.lent.set(values.fill(0), tensor)
        return [name, values]
      })
    )
  }

  /** The tensor that an array of ours shows. */
  tensorOf(values: Feed): Pointer | undefined {
    return this.lent.get(values)
  }

  /** Frees the tensors; their arrays are empty from now on, since what they showed is gone. */
  free(): void {
    for (const [values, tensor] of this.lent) {
      // Node detaches a buffer by moving its content elsewhere.
      ;(values.buffer as ArrayBuffer).transfer(0)
      this.library.call.TF_DeleteTensor(tensor)
    }
    this.lent.clear()
  }
}

/** Memory of one program for what is fed from elsewhere: made when first needed, written in every run. */
export class CopiedInputs {
  private readonly library: TensorFlow
  private readonly tensors = new Map<string, { readonly tensor: Pointer; readonly bytes: Uint8Array }>()

  constructor(library: TensorFlow) {
    this.library = library
  }

  /** A tensor with these values, valid until the next of this name. */
  tensorOf({ name, spec, values }: CheckedFeed): Pointer {
    let own = this.tensors.get(name)
    if (own === undefined) {
      const tensor = allocateTensor(this.library, spec.shape, spec.dtype)
      own = { tensor, bytes: bytesOf(this.library, tensor) }
      this.tensors.set(name, own)
    }
    writeTensor(own.bytes, values)
    return own.tensor
  }

  free(): void {
    for (const { tensor } of this.tensors.values()) this.library.call.TF_DeleteTensor(tensor)
    this.tensors.clear()
  }
}
