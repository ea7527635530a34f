/** How a kernel composed of tfjs operations is written down and registered. */
import { tf } from "../../../lib/tensor/tf.ts"

export interface PortableKernel {
  readonly name: string
  readonly compute: (inputs: never, attrs: never) => tf.Tensor | Array<tf.Tensor>
}

/** A kernel over the inputs and attributes that tfjs-core calls it with. */
export const portableKernel = <I, A>(
  name: string,
  compute: (inputs: I, attrs: A) => tf.Tensor | Array<tf.Tensor>
): PortableKernel => ({ name, compute })

/** Registers kernels with a backend, in place of its own where it has one. */
export const replaceKernels = (backendName: string, kernels: ReadonlyArray<PortableKernel>): void => {
  for (const { name, compute } of kernels) {
    const own = tf.getKernel(name, backendName)
    if (own !== undefined && own !== null) tf.unregisterKernel(name, backendName)
    tf.registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: ({ inputs, attrs }) => tf.tidy(() => compute(inputs as never, (attrs ?? {}) as never))
    })
  }
}
