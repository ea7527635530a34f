/** An inference graph in TensorFlow's operations: what a SavedModel and a TF.js graph model hold alike. */
import {
  type ConstantNode,
  ExportUnsupported,
  type InferenceGraph,
  inOrder,
  type Node,
  namesOf,
  type Operation,
  type Shape
} from "./InferenceGraph.ts"
import {
  type Attribute,
  constantNode,
  float,
  int32,
  intsNode,
  type NodeDef,
  padded,
  type TensorValue
} from "./tensorflow-nodes.ts"
import { convolution, pool } from "./tensorflow-windows.ts"

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
      return convolution(operation, node, name, input)
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

/** The constants by name: what a format may keep elsewhere. */
export const constantsOf = ({
  nodes
}: TensorflowGraph): ReadonlyArray<TensorValue & { readonly name: string }> =>
  nodes.flatMap(({ attr: { value }, name }) =>
    value !== undefined && "tensor" in value ? [{ name, ...value.tensor }] : []
  )
