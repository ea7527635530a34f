/**
 * ONNX (onnx/onnx.proto, operators of opset 17). Images come in as in every other format, `[N, H, W, C]`, and
 * are transposed at once: what has four axes is `[N, C, H, W]` inside.
 */
import { sizeOf } from "../nn/Weights.ts"
import { filterChannelsFirst, toChannelsFirst, toChannelsLast, transposed } from "./channels-first.ts"
import type { ExportedFile } from "./ExportedFile.ts"
import {
  BATCH,
  type ConstantNode,
  ExportUnsupported,
  type InferenceGraph,
  inOrder,
  isConstant,
  type Margins,
  type Node,
  namesOf,
  type Operation,
  type Shape,
  type Windows
} from "./InferenceGraph.ts"
import { OnnxConstants } from "./OnnxConstants.ts"
import { type AttributeValue, nodeProto, valueInfo } from "./onnx-messages.ts"
import { Message } from "./protobuf.ts"

const OPSET = 17
/** The format's version that opset 17 came with. */
const IR_VERSION = 8

export interface OnnxOptions {
  /** What wrote it. */
  readonly producer: { readonly name: string; readonly version: string }
  readonly metadata: Readonly<Record<string, string>>
}

export const onnxModel = (path: string, graph: InferenceGraph, options: OnnxOptions): ExportedFile => {
  const writer = new OnnxWriter(namesOf(graph))
  for (const node of inOrder(graph)) writer.write(node)
  const { metadata, producer } = options
  const model = new Message()
    .int(1, IR_VERSION)
    .text(2, producer.name)
    .text(3, producer.version)
    .message(7, writer.graph(graph))
    .message(8, new Message().int(2, OPSET))
  for (const [key, value] of Object.entries(metadata)) {
    model.message(14, new Message().text(1, key).text(2, value))
  }
  return { path, bytes: model.finish() }
}

class OnnxWriter {
  readonly #names: ReadonlyMap<Node, string>
  readonly #nodes: Array<Message> = []
  readonly #constants = new OnnxConstants()

  constructor(names: ReadonlyMap<Node, string>) {
    this.#names = names
  }

  graph({ input, outputs }: InferenceGraph): Message {
    const message = new Message()
    for (const node of this.#nodes) message.message(1, node)
    message.text(2, "classifier")
    for (const constant of this.#constants.messages) message.message(5, constant)
    message.message(11, valueInfo(this.#names.get(input)!, input.shape))
    for (const [name, { shape }] of Object.entries(outputs)) message.message(12, valueInfo(name, shape))
    return message
  }

  write(node: Node): string {
    const { inputs, operation, shape } = node
    const name = this.#names.get(node)!
    const [x] = inputs as [Node]
    switch (operation.kind) {
      case "Constant":
        // Written where it is used, in the layout that is wanted there.
        return name
      case "Input":
        return shape.length === 4 ? this.#transpose(name, channelsFirst(name), toChannelsFirst) : name
      case "Convolution":
        return this.#convolution(node, operation, name)
      case "MaxPool":
      case "AveragePool":
        return this.#node(operation.kind, [this.#value(x)], name, {
          ...windowAttributes(operation),
          kernel_shape: operation.size,
          ...(operation.kind === "AveragePool" && { count_include_pad: 0 })
        })
      case "Add":
        return this.#node("Add", this.#operands(node), name)
      case "Multiply":
        return this.#node("Mul", this.#operands(node), name)
      case "Relu":
        return this.#node(operation.kind, [this.#value(x)], name)
      case "Relu6": {
        const bounds = [0, 6].map((bound) =>
          this.#constants.floats(`bound/${bound}`, [], Float32Array.of(bound))
        )
        return this.#node("Clip", [this.#value(x), ...bounds], name)
      }
      case "Softmax":
        return this.#node("Softmax", [this.#value(x)], name, { axis: -1 })
      case "MatMul":
        return this.#node(
          "MatMul",
          inputs.map((input) => this.#value(input)),
          name
        )
      case "Normalization":
        throw new ExportUnsupported({ operation: "FusedBatchNorm", reason: "was not folded" })
      default:
        return this.#indexing(node, operation, name)
    }
  }

  #indexing(
    { inputs, shape }: Node,
    operation: Extract<Operation, { readonly kind: "Reshape" | "Pad" | "Concat" | "Mean" | "Slice" }>,
    name: string
  ): string {
    const [x] = inputs as [Node]
    const rank = x.shape.length
    const axisOf = (axis: number) => (rank === 4 ? toChannelsLast[axis]! : axis)
    switch (operation.kind) {
      case "Reshape":
        return this.#reshape(x, shape, name)
      case "Concat":
        return this.#node(
          "Concat",
          inputs.map((input) => this.#value(input)),
          name,
          {
            axis: axisOf(operation.axis)
          }
        )
      case "Mean":
        if (shape.length !== rank && shape.length > 2) {
          throw new ExportUnsupported({
            operation: "Mean",
            reason: `to ${shape.length} axes cannot be written`
          })
        }
        return this.#node("ReduceMean", [this.#value(x)], name, {
          axes: operation.axes.map(axisOf).sort((a, b) => a - b),
          keepdims: operation.keepDims ? 1 : 0
        })
      case "Pad": {
        const amounts = ordered(operation.amounts, rank)
        const pads = [...amounts.map(([before]) => before), ...amounts.map(([, after]) => after)]
        const value = this.#constants.floats(`${name}/value`, [], Float32Array.of(operation.value))
        return this.#node("Pad", [this.#value(x), this.#constants.ints(`${name}/pads`, pads), value], name)
      }
      case "Slice": {
        const starts = ordered(operation.begin, rank)
        const ends = ordered(shape, rank).map((extent, axis) =>
          extent === BATCH ? INT64_MAX : starts[axis]! + extent
        )
        const inputNames = [
          this.#value(x),
          this.#constants.ints(`${name}/starts`, starts),
          this.#constants.ints(`${name}/ends`, ends)
        ]
        return this.#node("Slice", inputNames, name)
      }
    }
  }

  /** Reshaping means the order of channels last. */
  #reshape(x: Node, shape: Shape, name: string): string {
    const flat = x.shape.length === 4 ? `${name}/channels-last` : this.#value(x)
    if (x.shape.length === 4) this.#transpose(this.#value(x), flat, toChannelsLast)
    const made = shape.length === 4 ? `${name}/reshaped` : name
    this.#node("Reshape", [flat, this.#constants.ints(`${name}/shape`, shape)], made)
    return shape.length === 4 ? this.#transpose(made, name, toChannelsFirst) : made
  }

  #convolution(
    { inputs }: Node,
    operation: Extract<Operation, { readonly kind: "Convolution" }>,
    name: string
  ): string {
    const [x, filter, bias] = inputs as [Node, Node, Node | undefined]
    if (!isConstant(filter)) {
      throw new ExportUnsupported({ operation: "Conv2D", reason: "with a computed filter cannot be written" })
    }
    const { shape, values } = filterChannelsFirst(floatsOf(filter), operation.depthwise)
    const weight = this.#constants.floats(this.#names.get(filter)!, shape, values)
    const group = operation.depthwise ? x.shape[3]! : 1
    const read = [this.#value(x), weight, ...(bias === undefined ? [] : [this.#value(bias)])]
    return this.#node("Conv", read, name, {
      ...windowAttributes(operation),
      kernel_shape: operation.size,
      group
    })
  }

  /** Both inputs of an operation that broadcasts, in the layout of what comes out. */
  #operands({ inputs, shape }: Node): ReadonlyArray<string> {
    return inputs.map((input) => {
      if (shape.length !== 4 || input.shape.length === 4 || sizeOf(input.shape) === 1)
        return this.#value(input)
      if (!isConstant(input) || input.shape.length !== 1) {
        const reason = `of [${input.shape}] with four axes cannot be written`
        throw new ExportUnsupported({ operation: "Add or Multiply", reason })
      }
      return this.#constants.floats(this.#names.get(input)!, [input.shape[0]!, 1, 1], input.operation.values)
    })
  }

  /** The name of what a node makes; four axes are channels first. */
  #value(node: Node): string {
    const name = this.#names.get(node)!
    const isImage = node.shape.length === 4
    if (isConstant(node)) {
      const { shape, values } = isImage ? transposed(floatsOf(node), toChannelsFirst) : floatsOf(node)
      return this.#constants.floats(name, shape, values)
    }
    return node.operation.kind === "Input" && isImage ? channelsFirst(name) : name
  }

  #transpose(from: string, to: string, order: ReadonlyArray<number>): string {
    return this.#node("Transpose", [from], to, { perm: order })
  }

  #node(
    type: string,
    inputs: ReadonlyArray<string>,
    output: string,
    attributes: Readonly<Record<string, AttributeValue>> = {}
  ): string {
    this.#nodes.push(nodeProto(type, inputs, output, attributes))
    return output
  }
}

/** What stands for each axis, in the order of the axes that ONNX is given. */
const ordered = <A>(values: ReadonlyArray<A>, rank: number): ReadonlyArray<A> =>
  rank === 4 ? toChannelsFirst.map((axis) => values[axis]!) : values

const channelsFirst = (name: string): string => `${name}/channels-first`

const INT64_MAX = 2n ** 63n - 1n

const floatsOf = ({ operation, shape }: ConstantNode) => ({ shape, values: operation.values })

const windowAttributes = ({ dilations, margins, strides }: Windows) => ({
  strides,
  pads: padsOf(margins),
  ...(dilations.some((extent) => extent !== 1) && { dilations })
})

const padsOf = ({ bottom, left, right, top }: Margins): ReadonlyArray<number> => [top, left, bottom, right]
