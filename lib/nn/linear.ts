/** A fully connected layer with bias. */
import { tf } from "../tensor/tf.ts"
import { type WeightSpec, type WeightTensors, weightOf } from "./Weights.ts"

export interface Linear {
  readonly name: string
  readonly inputs: number
  readonly outputs: number
}

export const linearWeights = ({ name, inputs, outputs }: Linear): ReadonlyArray<WeightSpec> => [
  { name: `${name}.weight`, shape: [inputs, outputs], role: "kernel" },
  { name: `${name}.bias`, shape: [outputs], role: "bias", fanIn: inputs }
]

/** `[N, inputs]` → `[N, outputs]` */
export const linear = (weights: WeightTensors, { name }: Linear, x: tf.Tensor2D): tf.Tensor2D =>
  tf.add(tf.matMul(x, weightOf(weights, `${name}.weight`) as tf.Tensor2D), weightOf(weights, `${name}.bias`))
