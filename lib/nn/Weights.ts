/**
 * A network's weights: a flat record of named arrays, kept apart from the code that uses them. Names follow
 * PyTorch (`layer1.0.conv1.weight`), layouts follow TensorFlow (kernels `[height, width, in, out]`).
 */
import type { tf } from "../tensor/tf.ts"

/** What a weight is for: it decides how the weight starts and whether an optimizer touches it. */
export type WeightRole = "kernel" | "bias" | "scale" | "shift" | "running-mean" | "running-variance"

export interface WeightSpec {
  readonly name: string
  readonly shape: ReadonlyArray<number>
  readonly role: WeightRole
  /** For a bias: how many values each output of its layer sums up. Some initializers start biases by it. */
  readonly fanIn?: number
  /** How the weight starts, where its place in the network asks for more than its role says. */
  readonly initial?: InitialValues
  /** Of a scale: the last of a residual block's branch. At 0 the block begins as its shortcut alone. */
  readonly closesBranch?: true
  /** Kept as it is while the rest learns; it still counts as a parameter. */
  readonly frozen?: true
}

export type InitialValues =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "normal"; readonly deviation: number }

/** An array of 32-bit floats, row-major. */
export interface Weight {
  readonly shape: ReadonlyArray<number>
  readonly values: Float32Array
}

export type Weights = Readonly<Record<string, Weight>>

/** The same weights as tensors, ready for `apply`. */
export type WeightTensors = Readonly<Record<string, tf.Tensor>>

/** Running statistics are measured, frozen weights are kept, every other weight is learned. */
export const isTrainable = (spec: WeightSpec): boolean => !isStatistic(spec) && spec.frozen !== true

export const isStatistic = ({ role }: WeightSpec): boolean =>
  role === "running-mean" || role === "running-variance"

export const sizeOf = (shape: ReadonlyArray<number>): number =>
  shape.reduce((size, extent) => size * extent, 1)

/** As many zeros as the weights have values. */
export const zeroWeights = (specs: ReadonlyArray<WeightSpec>): Weights =>
  Object.fromEntries(
    specs.map(({ name, shape }) => [name, { shape, values: new Float32Array(sizeOf(shape)) }])
  )

/**
 * Learned numbers, frozen or not: running statistics do not count (as in papers and in PyTorch's
 * `parameters()`).
 */
export const countParameters = (specs: ReadonlyArray<WeightSpec>): number =>
  specs.filter((spec) => !isStatistic(spec)).reduce((count, spec) => count + sizeOf(spec.shape), 0)

/** The tensor of a name; a missing one is a mistake in the model, so it ends the run. */
export const weightOf = (weights: WeightTensors, name: string): tf.Tensor => {
  const tensor = weights[name]
  if (tensor === undefined) throw new Error(`The model asks for weight "${name}", which it never declared.`)
  return tensor
}
