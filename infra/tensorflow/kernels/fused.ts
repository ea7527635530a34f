/**
 * What `tf.fused` asks for: a convolution or product, bias and activation in one. Recorded one after the
 * other; TensorFlow fuses them again where it can.
 */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Kernel, kernel } from "./Kernel.ts"

export interface Epilogue {
  readonly bias?: tf.Tensor
  readonly preluActivationWeights?: tf.Tensor
}

export interface EpilogueAttrs {
  readonly activation?: "linear" | "relu" | "relu6" | "elu" | "sigmoid" | "leakyrelu" | "prelu"
  readonly leakyreluAlpha?: number
}

/** Adds the bias and applies the activation. */
export const finished = (y: tf.Tensor, epilogue: Epilogue, attrs: EpilogueAttrs): tf.Tensor => {
  const { bias, preluActivationWeights } = epilogue
  const shifted = bias === undefined || bias === null ? y : tf.add(y, bias)
  switch (attrs.activation) {
    case "relu":
      return tf.relu(shifted)
    case "relu6":
      return tf.relu6(shifted)
    case "elu":
      return tf.elu(shifted)
    case "sigmoid":
      return tf.sigmoid(shifted)
    case "leakyrelu":
      return tf.leakyRelu(shifted, attrs.leakyreluAlpha)
    case "prelu":
      return tf.prelu(shifted, preluActivationWeights as tf.Tensor)
    default:
      return shifted
  }
}

const fused = (name: string, plain: string, [first, second]: readonly [string, string]): Kernel =>
  kernel<Epilogue & { readonly [input: string]: tf.Tensor }, EpilogueAttrs & tf.NamedAttrMap>(
    name,
    (_backend, inputs, attrs) => {
      const operands = { [first]: inputs[first]!, [second]: inputs[second]! }
      return finished(tf.engine().runKernel(plain, operands, attrs) as tf.Tensor, inputs, attrs)
    }
  )

export const fusions: ReadonlyArray<Kernel> = [
  fused("FusedConv2D", "Conv2D", ["x", "filter"]),
  fused("FusedDepthwiseConv2D", "DepthwiseConv2dNative", ["x", "filter"]),
  fused("_FusedMatMul", "BatchMatMul", ["a", "b"])
]
