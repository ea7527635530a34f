/** An inference graph in TensorFlow's operations: what a SavedModel and a TF.js graph model hold alike. */
import {
  type ConstantNode,
  ExportUnsupported,
  type InferenceGraph,
  inOrder,
  type Margins,
  type Node,
  namesOf,
  type Operation,
  type Shape,
  type Windows
} from "./InferenceGraph.ts"

export interface TensorValue {
  readonly shape: Shape
  readonly values: Float32Array | Int32Array
}

export type Attribute =
  | { readonly type: "float32" | "int32" }
  | { readonly shape: Shape }
  | { readonly ints: ReadonlyArray<number> }
  | { readonly bool: boolean }
  | { readonly int: number }
  | { readonly text: string }
  | { readonly tensor: TensorValue }

export interface NodeDef {
  readonly name: string
  readonly op: string
  readonly input: ReadonlyArray<string>
  readonly attr: Readonly<Record<string, Attribute>>
}

export interface Signature {
  readonly name: string
  readonly shape: Shape
}

export interface TensorflowGraph {
  /** Each after those it reads. */
  readonly nodes: ReadonlyArray<NodeDef>
  readonly input: Signature
  readonly outputs: ReadonlyArray<Signature>
}

export const tensorflowGraph = (graph: InferenceGraph): TensorflowGraph => {
  const names = namesOf(graph)
  const nodes = inOrder(graph).flatMap((node) =>
    nodesFor(
      node,
      names.get(node)!,
      node.inputs.map((input) => names.get(input)!)
    )
  )
  const outputs = Object.entries(graph.outputs).map(([name, { shape }]) => ({ name, shape }))
  return { nodes, input: { name: names.get(graph.input)!, shape: graph.input.shape }, outputs }
}

const float: Attribute = { type: "float32" }
const int32: Attribute = { type: "int32" }
const NHWC: Attribute = { text: "NHWC" }

const constantNode = (name: string, values: Float32Array | Int32Array, shape: Shape): NodeDef => ({
  name,
  op: "Const",
  input: [],
  attr: { dtype: values instanceof Float32Array ? float : int32, value: { tensor: { shape, values } } }
})

const intsNode = (name: string, values: ReadonlyArray<number>, shape: Shape = [values.length]): NodeDef =>
  constantNode(name, Int32Array.from(values), shape)

/** The nodes for one of ours, the last of which has its name. */
const nodesFor = (node: Node, name: string, input: ReadonlyArray<string>): ReadonlyArray<NodeDef> => {
  const { operation, shape } = node
  const plain = (op: string): ReadonlyArray<NodeDef> => [{ name, op, input, attr: { T: float } }]
  switch (operation.kind) {
    case "Input":
      return [{ name, op: "Placeholder", input, attr: { dtype: float, shape: { shape } } }]
    case "Constant":
      return [constantNode(name, (node as ConstantNode).operation.values, shape)]
    case "Convolution":
      return convolution(operation, name, input)
    case "MaxPool":
    case "AveragePool":
      return pool(operation, node, name, input)
    case "Add":
      return plain("AddV2")
    case "Multiply":
      return plain("Mul")
    case "Relu":
    case "Relu6":
    case "Softmax":
      return plain(operation.kind)
    case "MatMul": {
      const no: Attribute = { bool: false }
      return [{ name, op: "MatMul", input, attr: { T: float, transpose_a: no, transpose_b: no } }]
    }
    case "Normalization":
      throw new ExportUnsupported({ operation: "FusedBatchNorm", reason: "was not folded" })
    default:
      return withIntegers(operation, node, name, input)
  }
}

type Indexing = Extract<Operation, { readonly kind: "Reshape" | "Pad" | "Concat" | "Mean" | "Slice" }>

/** Operations that take axes, shapes or the like as constants of their own. */
const withIntegers = (
  operation: Indexing,
  { shape }: Node,
  name: string,
  input: ReadonlyArray<string>
): ReadonlyArray<NodeDef> => {
  const [x = ""] = input
  switch (operation.kind) {
    case "Reshape":
      return [
        intsNode(`${name}/shape`, shape),
        { name, op: "Reshape", input: [x, `${name}/shape`], attr: { T: float, Tshape: int32 } }
      ]
    case "Pad":
      return padded(name, x, operation.amounts, operation.value)
    case "Concat":
      return [
        intsNode(`${name}/axis`, [operation.axis], []),
        {
          name,
          op: "ConcatV2",
          input: [...input, `${name}/axis`],
          attr: { T: float, Tidx: int32, N: { int: input.length } }
        }
      ]
    case "Mean":
      return [
        intsNode(`${name}/axes`, operation.axes),
        {
          name,
          op: "Mean",
          input: [x, `${name}/axes`],
          attr: { T: float, Tidx: int32, keep_dims: { bool: operation.keepDims } }
        }
      ]
    case "Slice":
      return [
        intsNode(`${name}/begin`, operation.begin),
        // -1 of the batch means all that there is.
        intsNode(`${name}/size`, shape),
        {
          name,
          op: "Slice",
          input: [x, `${name}/begin`, `${name}/size`],
          attr: { T: float, Index: int32 }
        }
      ]
  }
}

const padded = (
  name: string,
  x: string,
  amounts: ReadonlyArray<readonly [number, number]>,
  value: number
): ReadonlyArray<NodeDef> => [
  intsNode(`${name}/amounts`, amounts.flat(), [amounts.length, 2]),
  constantNode(`${name}/value`, Float32Array.of(value), []),
  {
    name,
    op: "PadV2",
    input: [x, `${name}/amounts`, `${name}/value`],
    attr: { T: float, Tpaddings: int32 }
  }
]

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

const convolution = (
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
const pool = (
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

/** The constants by name: what a format may keep elsewhere. */
export const constantsOf = ({
  nodes
}: TensorflowGraph): ReadonlyArray<TensorValue & { readonly name: string }> =>
  nodes.flatMap(({ attr: { value }, name }) =>
    value !== undefined && "tensor" in value ? [{ name, ...value.tensor }] : []
  )
