/**
 * Normalisations by given statistics are a factor and a summand for each channel. Behind a convolution they
 * become part of its filter and bias, elsewhere a multiplication and an addition. Computed in 64 bits.
 */
import { type ConstantNode, type InferenceGraph, inOrder, isConstant, type Node } from "./InferenceGraph.ts"

/** The same function with no normalisation in it. */
export const foldNormalizations = (graph: InferenceGraph): InferenceGraph => {
  const nodes = inOrder(graph)
  const readers = new Map<Node, number>()
  for (const node of [...nodes.flatMap(({ inputs }) => inputs), ...Object.values(graph.outputs)]) {
    readers.set(node, (readers.get(node) ?? 0) + 1)
  }
  const folded = new Map<Node, Node>()
  for (const node of nodes) {
    const inputs = node.inputs.map((input) => folded.get(input)!)
    // What others read as well has to stay as it is.
    const alone = readers.get(node.inputs[0]!) === 1
    folded.set(node, foldedNode(node, inputs, alone))
  }
  const outputs = Object.entries(graph.outputs).map(([name, node]) => [name, folded.get(node)!])
  return { input: folded.get(graph.input)!, outputs: Object.fromEntries(outputs) }
}

const foldedNode = (node: Node, inputs: ReadonlyArray<Node>, alone: boolean): Node => {
  const [x, ...rest] = inputs
  if (node.operation.kind === "Normalization") {
    const affine = affineOf(rest as ReadonlyArray<ConstantNode>, node.operation.epsilon)
    return alone && hasConstantFilter(x!) ? intoConvolution(x!, affine) : affineNode(x!, affine)
  }
  if (node.operation.kind === "Add" && alone && hasConstantFilter(x!) && x!.inputs.length === 2) {
    const [summand] = rest
    if (isConstant(summand) && summand.shape.join() === String(x!.shape.at(-1))) {
      return { ...x!, inputs: [...x!.inputs, summand] }
    }
  }
  return { ...node, inputs }
}

interface Affine {
  readonly scale: Float64Array
  readonly shift: Float64Array
  /** Of the normalisation. */
  readonly name: string
}

const affineOf = (constants: ReadonlyArray<ConstantNode>, epsilon: number): Affine => {
  const [mean, variance, offset, gamma] = constants.map(({ operation }) => operation.values) as [
    Float32Array,
    ...ReadonlyArray<Float32Array>
  ]
  const scale = Float64Array.from(mean, (_, at) => gamma![at]! / Math.sqrt(variance![at]! + epsilon))
  const shift = Float64Array.from(mean, (value, at) => offset![at]! - value * scale[at]!)
  return { scale, shift, name: (constants[2]?.name ?? "normalization").replace(/\.bias$/, "") }
}

const hasConstantFilter = ({ inputs, operation }: Node): boolean =>
  operation.kind === "Convolution" && inputs.slice(1).every(isConstant)

/** The last axes of a filter are the channels that come out, also of a depthwise one. */
const intoConvolution = (convolution: Node, { name, scale, shift }: Affine): Node => {
  const [x, filter, bias] = convolution.inputs as [Node, ConstantNode, ConstantNode | undefined]
  const channels = scale.length
  const values = Float32Array.from(filter.operation.values, (value, at) => value * scale[at % channels]!)
  const before = bias?.operation.values
  const summands = Float32Array.from(shift, (value, at) => value + scale[at]! * (before?.[at] ?? 0))
  return {
    ...convolution,
    inputs: [x, { ...filter, operation: { kind: "Constant", values } }, constant(summands, `${name}.folded`)]
  }
}

const affineNode = (x: Node, { name, scale, shift }: Affine): Node => {
  const { shape } = x
  const scaled: Node = {
    operation: { kind: "Multiply" },
    inputs: [x, constant(Float32Array.from(scale), `${name}.scale`)],
    shape
  }
  const summand = constant(Float32Array.from(shift), `${name}.shift`)
  return { operation: { kind: "Add" }, inputs: [scaled, summand], shape }
}

const constant = (values: Float32Array, name: string): ConstantNode => ({
  operation: { kind: "Constant", values },
  inputs: [],
  shape: [values.length],
  name
})
