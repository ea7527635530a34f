/** How a kernel composed of tfjs operations is written down and registered. */
import { tf } from "../../../lib/tensor/tf.ts"

type Tensors = { readonly [name: string]: tf.Tensor | undefined }

/** Runs the kernel that the backend brought itself. */
export type OwnKernel = (inputs: Tensors, attrs?: object) => tf.Tensor

export interface PortableKernel {
  readonly name: string
  readonly compute: (inputs: never, attrs: never, own: OwnKernel) => tf.Tensor | Array<tf.Tensor>
}

/** A kernel over the inputs and attributes that tfjs-core calls it with. */
export const portableKernel = <I, A>(
  name: string,
  compute: (inputs: I, attrs: A, own: OwnKernel) => tf.Tensor | Array<tf.Tensor>
): PortableKernel => ({ name, compute })

/** Registers kernels with a backend, in place of its own where it has one. */
export const replaceKernels = (backendName: string, kernels: ReadonlyArray<PortableKernel>): void => {
  for (const { name, compute } of kernels) {
    const before = tf.getKernel(name, backendName)
    const own: OwnKernel = (inputs, attrs = {}) => {
      const made = before.kernelFunc({
        inputs: inputs as never,
        attrs: attrs as never,
        backend: tf.backend()
      })
      return tf.engine().makeTensorFromTensorInfo(made as tf.TensorInfo)
    }
    if (before !== undefined && before !== null) tf.unregisterKernel(name, backendName)
    tf.registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: ({ inputs, attrs }) => tf.tidy(() => compute(inputs as never, (attrs ?? {}) as never, own))
    })
  }
}
