/** Average pooling of whole feature maps, as classifiers end. */
import { tf } from "./tf.ts"

export const GLOBAL_MEAN = "GlobalMean"
export const GLOBAL_MEAN_GRADIENT = "GlobalMeanGradient"

/**
 * `[N, H, W, C]` → `[N, C]`, the mean over rows and columns; composed of tfjs's operations on backends
 * without the kernel.
 */
export const globalMean = (x: tf.Tensor4D): tf.Tensor2D => {
  const fused = tf.getKernel(GLOBAL_MEAN, tf.getBackend()) != null
  return fused ? tf.engine().runKernel(GLOBAL_MEAN, { x }) : tf.mean(x, [1, 2])
}

tf.registerGradient({
  kernelName: GLOBAL_MEAN,
  inputsToSave: ["x"],
  gradFunc: (dy, [x]) => ({
    // x tells the shape, and on mixed backends the type; its values do not matter.
    x: () => tf.engine().runKernel(GLOBAL_MEAN_GRADIENT, { dy: dy as tf.Tensor, x: x as tf.Tensor })
  })
})
