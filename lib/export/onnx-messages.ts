/** The messages of onnx/onnx.proto that an exported graph is made of. */
import { BATCH, type Shape } from "./InferenceGraph.ts"
import { bytesOf, Message } from "./protobuf.ts"

export type AttributeValue = number | ReadonlyArray<number>

/** `TensorProto.DataType` */
const FLOAT = 1
const INT64 = 7
/** `AttributeProto.AttributeType` */
const INT = 2
const INTS = 7

/** A node of one output, called as that. */
export const nodeProto = (
  type: string,
  inputs: ReadonlyArray<string>,
  output: string,
  attributes: Readonly<Record<string, AttributeValue>>
): Message => {
  const message = new Message()
  for (const input of inputs) message.text(1, input)
  message.text(2, output).text(3, output).text(4, type)
  for (const [name, value] of Object.entries(attributes)) message.message(5, attributeProto(name, value))
  return message
}

const attributeProto = (name: string, value: AttributeValue): Message =>
  typeof value === "number"
    ? new Message().text(1, name).int(3, value).int(20, INT)
    : new Message().text(1, name).ints(8, value).int(20, INTS)

export const floatsProto = (name: string, shape: Shape, values: Float32Array): Message =>
  tensorProto(name, shape, FLOAT, bytesOf(values))

export const intsProto = (name: string, values: ReadonlyArray<number | bigint>): Message =>
  tensorProto(name, [values.length], INT64, bytesOf(BigInt64Array.from(values, (value) => BigInt(value))))

const tensorProto = (name: string, shape: Shape, type: number, bytes: Uint8Array): Message =>
  new Message().ints(1, shape).int(2, type).text(8, name).bytes(9, bytes)

/** Name, type and shape of a graph's input or output. */
export const valueInfo = (name: string, shape: Shape): Message => {
  const extents = new Message()
  for (const extent of shape) {
    const dimension = new Message()
    extents.message(1, extent === BATCH ? dimension.text(2, "N") : dimension.int(1, extent))
  }
  const tensor = new Message().int(1, FLOAT).message(2, extents)
  return new Message().text(1, name).message(2, new Message().message(1, tensor))
}
