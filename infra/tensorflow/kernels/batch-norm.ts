/**
 * Batch normalisation: the fused training kernels of `lib/tensor/batch-norm.ts`, and tfjs's own for
 * inference.
 */
import type { FusedBatchNormAttrs } from "../../../lib/tensor/batch-norm.ts"
import { type Attributes, attribute } from "../attributes.ts"
import { light } from "../autocast.ts"
import { DataType, type Output } from "../capi.ts"
import type { TensorInfo } from "../GraphBackend.ts"
import { type Kernel, kernel } from "./Kernel.ts"

const normAttributes = (type: DataType, epsilon: number, training: boolean): Attributes => ({
  T: attribute.type(type),
  U: attribute.type(DataType.float32),
  epsilon: attribute.float(epsilon),
  data_format: attribute.string("NHWC"),
  is_training: attribute.bool(training)
})

/**
 * The sixth output of the forward node, which the gradient node wants back. Its shape is unknown to
 * TensorFlow's shape inference, so it cannot become a tfjs tensor; it is found again through the saved mean's
 * node.
 */
const thirdReserve = (savedMean: Output): Output => ({ oper: savedMean.oper, index: THIRD_RESERVE })
const THIRD_RESERVE = 5

const training = kernel<{ x: TensorInfo; gamma: TensorInfo; beta: TensorInfo }, FusedBatchNormAttrs>(
  "FusedBatchNormV3",
  (backend, { x, gamma, beta }, { epsilon }) => {
    const { type, input } = light(backend, x)
    const none = backend.graph.constant(new Float32Array(0), [0], "float32")
    const inputs = [input(x), backend.output(gamma), backend.output(beta), none, none]
    const attributes = { ...normAttributes(type, epsilon, true), exponential_avg_factor: attribute.float(1) }
    return backend.emitMany("FusedBatchNormV3", inputs, attributes, THIRD_RESERVE)
  }
)

type GradientInputs = {
  [K in "dy" | "x" | "gamma" | "savedMean" | "savedVariance"]: TensorInfo
}

const gradient = kernel<GradientInputs, FusedBatchNormAttrs>(
  "FusedBatchNormGradV3",
  (backend, { dy, x, gamma, savedMean, savedVariance }, { epsilon }) => {
    const { type, input } = light(backend, x)
    const mean = backend.output(savedMean)
    const saved = [mean, backend.output(savedVariance), thirdReserve(mean)]
    const inputs = [input(dy), input(x), backend.output(gamma), ...saved]
    return backend.emitMany("FusedBatchNormGradV3", inputs, normAttributes(type, epsilon, true), 3)
  }
)

type InferenceInputs = { [K in "x" | "mean" | "variance" | "scale" | "offset"]: TensorInfo }

const inference = kernel<InferenceInputs, { varianceEpsilon: number }>(
  "FusedBatchNorm",
  (backend, { x, mean, variance, scale, offset }, { varianceEpsilon }) => {
    const { type, input } = light(backend, x)
    const parameters = [scale, offset, mean, variance].map((tensor) => backend.output(tensor))
    return backend.emit(
      "FusedBatchNormV3",
      [input(x), ...parameters],
      normAttributes(type, varianceEpsilon, false)
    )
  }
)

export const batchNorm: ReadonlyArray<Kernel> = [training, gradient, inference]
