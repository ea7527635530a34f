/** Convolutions and pools in TensorFlow's operations. */
import {
  ExportUnsupported,
  type Margins,
  type Node,
  type Operation,
  type Shape,
  type Windows
} from "./InferenceGraph.ts"
import { type Attribute, float, NHWC, type NodeDef, padded } from "./tensorflow-nodes.ts"

const amountsOf = ({ bottom, left, right, top }: Margins) =>
  [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0]
  ] as const

/** TensorFlow's name for the margins; `undefined` where it has none. */
const namedPadding = (windows: Windows, before: Shape, after: Shape): "VALID" | "SAME" | undefined => {
  if (amountsOf(windows.margins).every(([first, last]) => first + last === 0)) return "VALID"
  return isSame(windows, before, after) ? "SAME" : undefined
}

/** Whether "SAME" means these margins: half of what is wanting, the odd one behind. */
const isSame = ({ dilations, margins, size, strides }: Windows, before: Shape, after: Shape): boolean =>
  [0, 1].every((axis) => {
    const [length, out] = [before[1 + axis]!, after[1 + axis]!]
    const reach = (size[axis]! - 1) * dilations[axis]! + 1
    const total = Math.max(0, (out - 1) * strides[axis]! + reach - length)
    const first = axis === 0 ? margins.top : margins.left
    return out === Math.ceil(length / strides[axis]!) && first === Math.floor(total / 2)
  })

export const convolution = (
  operation: Extract<Operation, { readonly kind: "Convolution" }>,
  { inputs, shape }: Node,
  name: string,
  [x = "", filter = "", bias]: ReadonlyArray<string>
): ReadonlyArray<NodeDef> => {
  const { depthwise, dilations, margins, strides } = operation
  const padding = namedPadding(operation, inputs[0]!.shape, shape)
  // TensorFlow ends the process where a depthwise convolution has margins without a name.
  const apart = depthwise && padding === undefined
  const paddedName = `${name}/padded`
  const convolved = bias === undefined ? name : `${name}/convolved`
  const node: NodeDef = {
    name: convolved,
    op: depthwise ? "DepthwiseConv2dNative" : "Conv2D",
    input: [apart ? paddedName : x, filter],
    attr: {
      T: float,
      strides: { ints: [1, ...strides, 1] },
      dilations: { ints: [1, ...dilations, 1] },
      data_format: NHWC,
      ...(apart ? { padding: { text: "VALID" } } : paddingAttributes(padding, margins))
    }
  }
  return [
    ...(apart ? padded(paddedName, x, amountsOf(margins), 0) : []),
    node,
    ...(bias === undefined ? [] : [biasNode(name, convolved, bias)])
  ]
}

const paddingAttributes = (
  padding: "VALID" | "SAME" | undefined,
  margins: Margins
): Readonly<Record<string, Attribute>> =>
  padding === undefined
    ? { padding: { text: "EXPLICIT" }, explicit_paddings: { ints: amountsOf(margins).flat() } }
    : { padding: { text: padding } }

const biasNode = (name: string, x: string, bias: string): NodeDef => ({
  name,
  op: "BiasAdd",
  input: [x, bias],
  attr: { T: float, data_format: NHWC }
})

/** TF.js pools with no margins but those of "SAME": others are nodes of their own. */
export const pool = (
  operation: Windows & { readonly kind: "MaxPool" | "AveragePool" },
  { inputs, shape }: Node,
  name: string,
  [x = ""]: ReadonlyArray<string>
): ReadonlyArray<NodeDef> => {
  const { kind, margins, size, strides } = operation
  const padding = namedPadding(operation, inputs[0]!.shape, shape)
  const node = (input: string): NodeDef => ({
    name,
    op: kind === "MaxPool" ? "MaxPool" : "AvgPool",
    input: [input],
    attr: {
      T: float,
      ksize: { ints: [1, ...size, 1] },
      strides: { ints: [1, ...strides, 1] },
      data_format: NHWC,
      padding: { text: padding ?? "VALID" }
    }
  })
  if (padding !== undefined) return [node(x)]
  if (kind === "AveragePool") {
    const reason = 'with margins that are not counted, other than "same", has no counterpart in TensorFlow'
    throw new ExportUnsupported({ operation: "AvgPool", reason })
  }
  return [...padded(`${name}/padded`, x, amountsOf(margins), LOWEST), node(`${name}/padded`)]
}

/** The smallest float32, which is never the largest in a window. */
const LOWEST = -3.4028234663852886e38
