/**
 * TensorFlow's SavedModel (tensorflow/core/protobuf/saved_model.proto, meta_graph.proto; in framework/ graph,
 * node_def, attr_value and tensor): one graph with the tag "serve" and the signature "serving_default", its
 * weights constants of the graph.
 */
import { type ExportedFile, signatureName } from "./ExportedFile.ts"
import type { Shape } from "./InferenceGraph.ts"
import { bytesOf, Message } from "./protobuf.ts"
import type { Signature, TensorflowGraph } from "./tensorflow-graph.ts"
import type { Attribute, NodeDef, TensorValue } from "./tensorflow-nodes.ts"

/** `DataType` in types.proto. */
const dataTypes = { float32: 1, int32: 3 } as const

/** The version of the graph format (core/public/version.h) that knows all operations we write. */
const GRAPH_PRODUCER = 987

export const savedModel = (folder: string, graph: TensorflowGraph): ReadonlyArray<ExportedFile> => {
  const metaGraph = new Message()
    .message(1, new Message().text(4, "serve"))
    .message(2, graphDef(graph.nodes))
    .entry(5, signatureName, signatureDef(graph))
  const bytes = new Message().int(1, 1).message(2, metaGraph).finish()
  return [{ path: `${folder}/saved_model.pb`, bytes }]
}

const graphDef = (nodes: ReadonlyArray<NodeDef>): Message => {
  const message = new Message()
  for (const node of nodes) message.message(1, nodeDef(node))
  return message.message(4, new Message().int(1, GRAPH_PRODUCER))
}

const nodeDef = ({ attr, input, name, op }: NodeDef): Message => {
  const message = new Message().text(1, name).text(2, op)
  for (const one of input) message.text(3, one)
  for (const [key, value] of Object.entries(attr)) message.entry(5, key, attrValue(value))
  return message
}

const attrValue = (attribute: Attribute): Message => {
  const message = new Message()
  if ("type" in attribute) return message.int(6, dataTypes[attribute.type])
  if ("shape" in attribute) return message.message(7, shapeProto(attribute.shape))
  if ("ints" in attribute) return message.message(1, new Message().ints(3, attribute.ints))
  if ("bool" in attribute) return message.int(5, attribute.bool ? 1 : 0)
  if ("int" in attribute) return message.int(3, attribute.int)
  if ("text" in attribute) return message.text(2, attribute.text)
  return message.message(8, tensorProto(attribute.tensor))
}

const shapeProto = (shape: Shape): Message => {
  const message = new Message()
  for (const extent of shape) message.message(2, new Message().int(1, extent))
  return message
}

const tensorProto = ({ shape, values }: TensorValue): Message =>
  new Message()
    .int(1, values instanceof Float32Array ? dataTypes.float32 : dataTypes.int32)
    .message(2, shapeProto(shape))
    .bytes(4, bytesOf(values))

const signatureDef = ({ input, outputs }: TensorflowGraph): Message => {
  const message = new Message().entry(1, input.name, tensorInfo(input))
  for (const output of outputs) message.entry(2, output.name, tensorInfo(output))
  return message.text(3, "tensorflow/serving/predict")
}

const tensorInfo = ({ name, shape }: Signature): Message =>
  new Message().text(1, `${name}:0`).int(2, dataTypes.float32).message(3, shapeProto(shape))
