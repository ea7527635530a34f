/** Convolutions and pools in TensorFlow's operations. */
import {
  ExportUnsupported,
  type Margins,
  type Node,
  type Operation,
  type Shape,
  type Windows
} from "./InferenceGraph.ts"
import { float, NHWC, type NodeDef, padded } from "./tensorflow-nodes.ts"

const amountsOf = ({ bottom, left, right, top }: Margins) =>
  [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0]
  ] as const

const isNone = (margins: Margins): boolean =>
  amountsOf(margins)
    .flat()
    .every((amount) => amount === 0)

export const convolution = (
  operation: Extract<Operation, { readonly kind: "Convolution" }>,
  name: string,
  [x = "", filter = "", bias]: ReadonlyArray<string>
): ReadonlyArray<NodeDef> => {
  const { depthwise, dilations, margins, strides } = operation
  const convolved = bias === undefined ? name : `${name}/convolved`
  const attr: NodeDef["attr"] = {
    T: float,
    strides: { ints: [1, ...strides, 1] },
    dilations: { ints: [1, ...dilations, 1] },
    data_format: NHWC,
    padding: { text: isNone(margins) ? "VALID" : "EXPLICIT" },
    explicit_paddings: { ints: isNone(margins) ? [] : amountsOf(margins).flat() }
  }
  const op = depthwise ? "DepthwiseConv2dNative" : "Conv2D"
  const node = { name: convolved, op, input: [x, filter], attr }
  return bias === undefined
    ? [node]
    : [node, { name, op: "BiasAdd", input: [convolved, bias], attr: { T: float, data_format: NHWC } }]
}

/** TF.js pools with no margins but those of "SAME": others are nodes of their own. */
export const pool = (
  operation: Windows & { readonly kind: "MaxPool" | "AveragePool" },
  { inputs, shape }: Node,
  name: string,
  [x = ""]: ReadonlyArray<string>
): ReadonlyArray<NodeDef> => {
  const { kind, margins, size, strides } = operation
  const same = isSame(operation, inputs[0]!.shape, shape)
  const node = (input: string): NodeDef => ({
    name,
    op: kind === "MaxPool" ? "MaxPool" : "AvgPool",
    input: [input],
    attr: {
      T: float,
      ksize: { ints: [1, ...size, 1] },
      strides: { ints: [1, ...strides, 1] },
      data_format: NHWC,
      padding: { text: same && !isNone(margins) ? "SAME" : "VALID" }
    }
  })
  if (same || isNone(margins)) return [node(x)]
  if (kind === "AveragePool") {
    const reason = 'with margins that are not counted, other than "same", has no counterpart in TensorFlow'
    throw new ExportUnsupported({ operation: "AvgPool", reason })
  }
  return [...padded(`${name}/padded`, x, amountsOf(margins), LOWEST), node(`${name}/padded`)]
}

/** The smallest float32, which is never the largest in a window. */
const LOWEST = -3.4028234663852886e38

/** Whether these are the margins that "SAME" means: half of what is wanting, the odd one behind. */
const isSame = ({ margins, size, strides }: Windows, before: Shape, after: Shape): boolean =>
  [0, 1].every((axis) => {
    const [length, out] = [before[1 + axis]!, after[1 + axis]!]
    const total = Math.max(0, (out - 1) * strides[axis]! + size[axis]! - length)
    const first = axis === 0 ? margins.top : margins.left
    return out === Math.ceil(length / strides[axis]!) && first === Math.floor(total / 2)
  })
