/**
 * What a network does with a batch of images, in no format's words: every format is written from this.
 * Layouts are TensorFlow's: activations `[N, H, W, C]`, filters `[height, width, in, out]`.
 */
import { Schema } from "effect"

/** The extent of the batch in a shape: known when the network runs. */
export const BATCH = -1

export type Shape = ReadonlyArray<number>
/** Of rows and of columns. */
export type Pair = readonly [rows: number, columns: number]

/** Cells around rows and columns of the input, as many as windows really touch. */
export interface Margins {
  readonly top: number
  readonly bottom: number
  readonly left: number
  readonly right: number
}

/** Where windows stand on `[N, H, W, C]`. */
export interface Windows {
  readonly size: Pair
  readonly strides: Pair
  readonly dilations: Pair
  readonly margins: Margins
}

export type Operation =
  | { readonly kind: "Input" }
  | { readonly kind: "Constant"; readonly values: Float32Array }
  /** Of x, filter and, where there is one, a bias `[out]`. A depthwise filter is `[h, w, in, multiplier]`. */
  | ({ readonly kind: "Convolution"; readonly depthwise: boolean } & Windows)
  /** Of x, mean, variance, offset and scale, `[C]` each. */
  | { readonly kind: "Normalization"; readonly epsilon: number }
  | ({ readonly kind: "MaxPool" } & Windows)
  /** Cells of the margins do not count. */
  | ({ readonly kind: "AveragePool" } & Windows)
  | { readonly kind: "Add" | "Multiply" | "MatMul" }
  | { readonly kind: "Relu" | "Relu6" | "Softmax" }
  /** To the shape of the node. */
  | { readonly kind: "Reshape" }
  | {
      readonly kind: "Pad"
      readonly amounts: ReadonlyArray<readonly [number, number]>
      readonly value: number
    }
  | { readonly kind: "Concat"; readonly axis: number }
  | { readonly kind: "Mean"; readonly axes: ReadonlyArray<number>; readonly keepDims: boolean }
  | { readonly kind: "Slice"; readonly begin: ReadonlyArray<number> }

export interface Node<O extends Operation = Operation> {
  readonly operation: O
  readonly inputs: ReadonlyArray<Node>
  /** The first extent is {@link BATCH} for all that depends on the images. */
  readonly shape: Shape
  /** A weight's, if it is one. */
  readonly name?: string
}

export interface InferenceGraph {
  readonly input: Node
  readonly outputs: { readonly [name: string]: Node }
}

export type ConstantNode = Node<Extract<Operation, { readonly kind: "Constant" }>>

export const isConstant = (node: Node | undefined): node is ConstantNode =>
  node?.operation.kind === "Constant"

/** The network does something that an export cannot say. */
export class ExportUnsupported extends Schema.TaggedError<ExportUnsupported>()("ExportUnsupported", {
  /** tfjs's name of it. */
  operation: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return (
      `This network cannot be exported: ${this.operation} ${this.reason}. ` +
      "Build it of operations that can be recorded, or add this one to lib/export/recorded-kernels.ts"
    )
  }
}

/** All nodes that the outputs need, each after those it reads. */
export const inOrder = ({ input, outputs }: InferenceGraph): ReadonlyArray<Node> => {
  const found = new Set<Node>([input])
  const visit = (node: Node): void => {
    if (found.has(node)) return
    for (const read of node.inputs) visit(read)
    found.add(node)
  }
  for (const node of Object.values(outputs)) visit(node)
  return [...found]
}

/** A name for every node: its output's, its weight's, or its operation's; no two alike. */
export const namesOf = (graph: InferenceGraph): ReadonlyMap<Node, string> => {
  const reserved = [["images", graph.input] as const, ...Object.entries(graph.outputs)]
  const names = new Map(reserved.map(([name, node]) => [node, name]))
  const taken = new Set(names.values())
  for (const node of inOrder(graph)) {
    if (names.has(node)) continue
    const wanted = nameFor(node)
    let name = wanted
    for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`
    names.set(node, name)
    taken.add(name)
  }
  return names
}

/** A convolution is called after its filter, without the last part of that. */
const nameFor = ({ inputs, name, operation }: Node): string =>
  name ??
  (operation.kind === "Convolution" ? inputs[1]?.name?.replace(/\.weight$/, "") : undefined) ??
  operation.kind
