/** What tfjs's portable backends lack or do wrong, put right. */
import { batchNormKernels } from "./batch-norm.ts"
import { convKernels } from "./conv.ts"
import { elementwiseKernels } from "./elementwise.ts"
import { indexingKernels } from "./indexing.ts"
import { type PortableKernel, replaceKernels } from "./PortableKernel.ts"
import { poolKernels } from "./pool.ts"
import { productKernels } from "./products.ts"
import { reduceKernels } from "./reduce.ts"
import { resizeKernels } from "./resize.ts"

const wasmKernels: ReadonlyArray<PortableKernel> = [
  ...elementwiseKernels,
  ...reduceKernels,
  ...indexingKernels,
  ...productKernels,
  ...convKernels,
  ...poolKernels,
  ...resizeKernels,
  ...batchNormKernels
]

export const wasmKernelNames: ReadonlyArray<string> = wasmKernels.map(({ name }) => name)

/** Registers everything for WebAssembly; call once it has been started. */
export const registerWasmKernels = (): void => replaceKernels("wasm", wasmKernels)

/**
 * Registers the fused batch norm for another backend of tfjs (`cpu`, `webgl`, `webgpu`), which have the rest.
 */
export const registerBatchNorm = (backendName: string): void => replaceKernels(backendName, batchNormKernels)
