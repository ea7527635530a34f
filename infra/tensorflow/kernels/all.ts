/** The kernels the graph backend has, and their registration with tfjs under the name of one backend. */
import { tf } from "../../../lib/tensor/tf.ts"
import { TensorFlowFailure } from "../capi.ts"
import { TracingError } from "../Trace.ts"
import { array } from "./array.ts"
import { batchNorm } from "./batch-norm.ts"
import { conv } from "./conv.ts"
import { elementwise } from "./elementwise.ts"
import { fusions } from "./fused.ts"
import { globalMean } from "./global-mean.ts"
import { image } from "./image.ts"
import { indexing } from "./indexing.ts"
import type { Kernel } from "./Kernel.ts"
import { loss } from "./loss.ts"
import { matmul } from "./matmul.ts"
import { pool } from "./pool.ts"
import { reduce } from "./reduce.ts"
import { sgd } from "./sgd.ts"

const kernels: ReadonlyArray<Kernel> = [
  ...elementwise,
  ...reduce,
  ...array,
  ...indexing,
  ...matmul,
  ...conv,
  ...pool,
  ...image,
  ...batchNorm,
  ...sgd,
  ...loss,
  ...globalMean,
  ...fusions
]

export const kernelNames: ReadonlyArray<string> = kernels.map(({ name }) => name)

export const registerKernels = (backendName: string): void => {
  for (const { name, record } of kernels) {
    tf.registerKernel({
      kernelName: name,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
        try {
          return record(backend as never, inputs as never, (attrs ?? {}) as never)
        } catch (cause) {
          if (!(cause instanceof TensorFlowFailure)) throw cause
          throw new TracingError(`${name} does not take these inputs: ${cause.message}`, { cause })
        }
      }
    })
  }
}

export const unregisterKernels = (backendName: string): void => {
  for (const name of kernelNames) tf.unregisterKernel(name, backendName)
}
