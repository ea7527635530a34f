/**
 * Batch normalisation: the fused kernels of `lib/tensor/batch-norm.ts`, by our operations where they are
 * compiled and by TensorFlow's elsewhere, and tfjs's own for inference.
 */
import {
  type Activation,
  BATCH_NORM_INFERENCE,
  BATCH_NORM_INFERENCE_GRADIENT,
  BATCH_NORM_TRAINING,
  BATCH_NORM_TRAINING_GRADIENT,
  type BatchNormAttrs
} from "../../../lib/tensor/batch-norm.ts"
import { type Attributes, attribute } from "../attributes.ts"
import { type Arithmetic, light } from "../autocast.ts"
import { DataType, type Output } from "../capi.ts"
import type { GraphBackend, TensorInfo } from "../GraphBackend.ts"
import type { OwnConvolution } from "../OwnConvolution.ts"
import { type Kernel, kernel } from "./Kernel.ts"
import { isOnTape } from "./tape.ts"
import { DEPTHWISE } from "./windows.ts"

interface ForwardInputs {
  readonly x: TensorInfo
  readonly gamma: TensorInfo
  readonly beta: TensorInfo
  readonly residual?: TensorInfo
}

type Given = { readonly [K in "mean" | "variance"]: TensorInfo }

type GradientInputs = {
  readonly [K in "dz" | "x" | "z" | "gamma" | "beta" | "mean" | "spread"]: TensorInfo
}

const normAttributes = (type: DataType, epsilon: number, training: boolean): Attributes => ({
  T: attribute.type(type),
  U: attribute.type(DataType.float32),
  epsilon: attribute.float(epsilon),
  data_format: attribute.string("NHWC"),
  is_training: attribute.bool(training)
})

/** What our operations are told; activations by their numbers in `cpu/batch-norm.h`. */
const ownAttributes = (type: DataType, { activation, epsilon }: BatchNormAttrs): Attributes => ({
  T: attribute.type(type),
  epsilon: attribute.float(epsilon),
  activation: attribute.float(activationNumbers[activation])
})

const activationNumbers: { readonly [A in Activation]: number } = { none: 0, relu: 1, relu6: 2 }

/** The operations of ours have a form with a residual and one without. */
const ownName = (name: string, { residual }: BatchNormAttrs): string => (residual ? `${name}Residual` : name)

/** Adds the residual and applies the activation by operations of TensorFlow. */
const finished = (
  { emit, input }: Arithmetic,
  y: TensorInfo,
  residual: TensorInfo | undefined,
  activation: Activation
): TensorInfo => {
  const sum = residual === undefined ? y : emit("AddV2", [input(y), input(residual)])
  return activation === "none" ? sum : emit(activation === "relu" ? "Relu" : "Relu6", [input(sum)])
}

/** The fourth and fifth output of the forward node are for the gradient node, as is the sixth. */
const SAVED = [3, 4, 5]

const training = kernel<ForwardInputs, BatchNormAttrs>(BATCH_NORM_TRAINING, (backend, inputs, attrs) => {
  const { beta, gamma, residual, x } = inputs
  const arithmetic = light(backend, x)
  const { type, input } = arithmetic
  const parameters = [backend.output(gamma), backend.output(beta)]
  if (backend.cpu !== undefined) {
    const all = [input(x), ...parameters, ...(residual === undefined ? [] : [input(residual)])]
    const shapes = [x.shape, gamma.shape, gamma.shape, gamma.shape]
    return backend.emitOwn(ownName("BatchNorm", attrs), all, ownAttributes(type, attrs), shapes)
  }
  const none = backend.graph.constant(new Float32Array(0), [0], "float32")
  const attributes = {
    ...normAttributes(type, attrs.epsilon, true),
    exponential_avg_factor: attribute.float(1)
  }
  const nodeInputs = [input(x), ...parameters, none, none]
  const [y, mean, variance, , spread] = backend.emitMany("FusedBatchNormV3", nodeInputs, attributes, 5)
  const z = finished(arithmetic, y as TensorInfo, residual, attrs.activation)
  return [z, mean, variance, spread] as Array<TensorInfo>
})

/** `dz` where the activation let something through, in the forward pass's type. */
const passed = (
  { emit, input }: Arithmetic,
  { dz, z }: GradientInputs,
  activation: Activation
): TensorInfo =>
  activation === "none" ? dz : emit(activation === "relu" ? "ReluGrad" : "Relu6Grad", [input(dz), input(z)])

/** By our operation; its `spread` is the inverse deviation, or in inference the given variance. */
const ownGradient = (
  backend: GraphBackend,
  name: string,
  inputs: GradientInputs,
  attrs: BatchNormAttrs
): Array<TensorInfo> => {
  const { beta, dz, gamma, mean, spread, x, z } = inputs
  const { type, input } = light(backend, x)
  const statistics = [gamma, beta, mean, spread].map((tensor) => backend.output(tensor))
  const all = [input(dz), input(x), ...statistics, ...(attrs.residual ? [input(z)] : [])]
  const shapes = [x.shape, gamma.shape, gamma.shape, ...(attrs.residual ? [x.shape] : [])]
  return backend.emitOwn(`${ownName(name, attrs)}Gradient`, all, ownAttributes(type, attrs), shapes)
}

const trainingGradient = kernel<GradientInputs, BatchNormAttrs>(
  BATCH_NORM_TRAINING_GRADIENT,
  (backend, inputs, attrs) => {
    if (backend.cpu !== undefined) return ownGradient(backend, "BatchNorm", inputs, attrs)
    const { gamma, mean, x } = inputs
    const arithmetic = light(backend, x)
    const { type, input } = arithmetic
    const dy = passed(arithmetic, inputs, attrs.activation)
    // The sixth output's shape is unknown to shape inference, so it cannot be a tfjs tensor.
    const { oper } = backend.output(mean)
    const saved = SAVED.map((index): Output => ({ oper, index }))
    const nodeInputs = [input(dy), input(x), backend.output(gamma), ...saved]
    const attributes = normAttributes(type, attrs.epsilon, true)
    const gradients = backend.emitMany("FusedBatchNormGradV3", nodeInputs, attributes, 3)
    return attrs.residual ? [...gradients, dy] : gradients
  }
)

/**
 * The convolution that `x` comes from, if an operation of ours does both. Where gradients are taken `x` is
 * wanted beside what is made of it, and it would be computed twice; elsewhere nobody runs the node of `x`.
 */
const normalisable = (
  backend: GraphBackend,
  x: TensorInfo,
  { residual }: BatchNormAttrs
): OwnConvolution | undefined => {
  const { convolution } = backend.stored(x)
  if (convolution === undefined || isOnTape()) return undefined
  if (residual && !convolution.takesResidual) return undefined
  return convolution
}

/** What a pointwise convolution that may follow is recorded with. */
const noteHalf = (
  backend: GraphBackend,
  z: TensorInfo,
  { inputs, type, window }: OwnConvolution,
  parameters: ReadonlyArray<Output>,
  { activation, epsilon }: BatchNormAttrs
): void => {
  const half = { inputs: [...inputs, ...parameters], type, window, epsilon }
  backend.stored(z).depthwiseHalf = { ...half, activation: activationNumbers[activation] }
}

const inference = kernel<ForwardInputs & Given, BatchNormAttrs>(
  BATCH_NORM_INFERENCE,
  (backend, { beta, gamma, mean, residual, variance, x }, attrs) => {
    const arithmetic = light(backend, x)
    const { type, input } = arithmetic
    const parameters = [gamma, beta, mean, variance].map((tensor) => backend.output(tensor))
    if (backend.cpu !== undefined) {
      const rest = [...parameters, ...(residual === undefined ? [] : [input(residual)])]
      const before = normalisable(backend, x, attrs)
      const name = ownName(before === undefined ? "BatchNormInference" : `${before.operation}Norm`, attrs)
      const inputs = [...(before?.inputs ?? [input(x)]), ...rest]
      const all = { ...before?.attributes, ...ownAttributes(type, attrs) }
      const z = backend.emitOwn(name, inputs, all, [x.shape])[0] as TensorInfo
      if (before?.operation === DEPTHWISE) noteHalf(backend, z, before, parameters, attrs)
      return z
    }
    const attributes = normAttributes(type, attrs.epsilon, false)
    const y = backend.emit("FusedBatchNormV3", [input(x), ...parameters], attributes)
    return finished(arithmetic, y, residual, attrs.activation)
  }
)

const inferenceGradient = kernel<GradientInputs, BatchNormAttrs>(
  BATCH_NORM_INFERENCE_GRADIENT,
  (backend, inputs, attrs) => {
    if (backend.cpu !== undefined) return ownGradient(backend, "BatchNormInference", inputs, attrs)
    const { gamma, mean, spread, x } = inputs
    const arithmetic = light(backend, x)
    const { type, input } = arithmetic
    const dy = passed(arithmetic, inputs, attrs.activation)
    // Without training the node takes mean and variance as they are; the third reserve is not read.
    const given = [mean, spread, mean].map((tensor) => backend.output(tensor))
    const nodeInputs = [input(dy), input(x), backend.output(gamma), ...given]
    const attributes = normAttributes(type, attrs.epsilon, false)
    const gradients = backend.emitMany("FusedBatchNormGradV3", nodeInputs, attributes, 3)
    return attrs.residual ? [...gradients, dy] : gradients
  }
)

type TfjsInputs = { [K in "x" | "mean" | "variance"]: TensorInfo } & {
  [K in "scale" | "offset"]?: TensorInfo | null
}

/** tfjs's own, for code that does not know ours. */
const tfjsInference = kernel<TfjsInputs, { varianceEpsilon: number }>(
  "FusedBatchNorm",
  (backend, { x, mean, variance, scale, offset }, { varianceEpsilon }) => {
    const { type, input } = light(backend, x)
    const channels = mean.shape[0] ?? 1
    const given = (tensor: TensorInfo | null | undefined, otherwise: number): Output =>
      tensor == null
        ? backend.graph.constant(new Float32Array(channels).fill(otherwise), [channels], "float32")
        : backend.output(tensor)
    const parameters = [given(scale, 1), given(offset, 0), backend.output(mean), backend.output(variance)]
    const attributes = normAttributes(type, varianceEpsilon, false)
    return backend.emit("FusedBatchNormV3", [input(x), ...parameters], attributes)
  }
)

export const batchNorm: ReadonlyArray<Kernel> = [
  training,
  trainingGradient,
  inference,
  inferenceGradient,
  tfjsInference
]
