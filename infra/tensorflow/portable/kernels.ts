/** What tfjs's portable backends lack or do wrong, put right. */
import { tf } from "../../../lib/tensor/tf.ts"
import { batchNormKernels } from "./batch-norm.ts"
import { convKernels } from "./conv.ts"
import { portableKernel, replaceKernels } from "./PortableKernel.ts"
import { poolKernels } from "./pool.ts"
import { resizeKernels } from "./resize.ts"

/** The gradient of `tf.gather`: rows with the same id are added up, ids below 0 are left out. */
const segmentSum = portableKernel<{ x: tf.Tensor; segmentIds: tf.Tensor1D }, { numSegments: number }>(
  "UnsortedSegmentSum",
  ({ x, segmentIds }, { numSegments }) => {
    const rows = segmentIds.size
    const membership = tf.oneHot(segmentIds, numSegments) as tf.Tensor2D
    const flat = tf.reshape(x, [rows, x.size / rows])
    const sums = tf.matMul(tf.cast(membership, "float32"), tf.cast(flat, "float32"), true, false)
    return tf.cast(tf.reshape(sums, [numSegments, ...x.shape.slice(1)]), x.dtype)
  }
)

/** Registers everything for WebAssembly; call once it has been started. */
export const registerWasmKernels = (): void =>
  replaceKernels("wasm", [...convKernels, ...poolKernels, ...batchNormKernels, ...resizeKernels, segmentSum])

/**
 * Registers the fused batch norm for another backend of tfjs (`cpu`, `webgl`, `webgpu`), which have the rest.
 */
export const registerBatchNorm = (backendName: string): void => replaceKernels(backendName, batchNormKernels)
