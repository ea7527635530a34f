/**
 * Gradients of convolutions with dilations, which tfjs refuses. The kernels of our backends take `dilations`
 * beside the attributes that tfjs's own gradients pass.
 */
import { tf } from "../../../lib/tensor/tf.ts"
import { type Gradient, gradient } from "./Gradient.ts"

interface ConvAttrs {
  readonly strides: number | [number, number]
  readonly pad: "valid" | "same" | number | tf.backend_util.ExplicitPadding
  readonly dataFormat?: "NHWC" | "NCHW"
  readonly dilations?: number | [number, number]
  readonly dimRoundingMode?: "floor" | "round" | "ceil"
}

const convolution = (kernel: string, inputKernel: string, filterKernel: string): Gradient =>
  gradient<ConvAttrs>(kernel, { inputs: ["x", "filter"] }, ({ attrs, dy, kept }) => {
    const [x, filter] = [kept.x!, kept.filter!]
    const run = (name: string, inputs: { [name: string]: tf.Tensor }, shape: object): tf.Tensor =>
      tf.engine().runKernel(name, inputs, { ...attrs, ...shape } as never) as tf.Tensor
    return {
      x: () => run(inputKernel, { dy, filter }, { inputShape: x.shape }),
      filter: () => run(filterKernel, { x, dy }, { filterShape: filter.shape })
    }
  })

export const convolutions: ReadonlyArray<Gradient> = [
  convolution("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"),
  convolution(
    "DepthwiseConv2dNative",
    "DepthwiseConv2dNativeBackpropInput",
    "DepthwiseConv2dNativeBackpropFilter"
  )
]
