/**
 * A graph model of TensorFlow.js, as its converter writes it: `model.json` with the graph in protobuf's JSON
 * form, and the constants in files that a browser can cache. `tf.loadGraphModel(url)` reads it.
 */
import { type ExportedFile, jsonBytes } from "./ExportedFile.ts"
import type { Shape } from "./InferenceGraph.ts"
import { bytesOf } from "./protobuf.ts"
import { constantsOf, type Signature, type TensorflowGraph } from "./tensorflow-graph.ts"
import type { Attribute, NodeDef } from "./tensorflow-nodes.ts"

/** Largest file of weights, as tfjs's converter cuts them: what browsers cache. */
const SHARD_BYTES = 4 * 2 ** 20

const dataTypes = { float32: "DT_FLOAT", int32: "DT_INT32" } as const

/** `generator` says what wrote it. */
export const tfjsGraphModel = (
  folder: string,
  graph: TensorflowGraph,
  generator: string
): ReadonlyArray<ExportedFile> => {
  const constants = constantsOf(graph)
  const shards = shardsOf(constants.map(({ values }) => bytesOf(values)))
  const paths = shards.map((_, index) => `group1-shard${index + 1}of${shards.length}.bin`)
  const weights = constants.map(({ name, shape, values }) => ({
    name,
    shape,
    dtype: values instanceof Float32Array ? "float32" : "int32"
  }))
  const model = {
    format: "graph-model",
    generatedBy: generator,
    convertedBy: generator,
    signature: {
      inputs: { [graph.input.name]: tensorInfo(graph.input) },
      outputs: Object.fromEntries(graph.outputs.map((output) => [output.name, tensorInfo(output)]))
    },
    // So that `predict` gives both by name.
    userDefinedMetadata: { structuredOutputKeys: graph.outputs.map(({ name }) => name) },
    modelTopology: { node: graph.nodes.map(nodeJson), library: {}, versions: {} },
    weightsManifest: [{ paths, weights }]
  }
  return [
    { path: `${folder}/model.json`, bytes: jsonBytes(model) },
    ...shards.map((bytes, index) => ({ path: `${folder}/${paths[index]!}`, bytes }))
  ]
}

const nodeJson = ({ attr, input, name, op }: NodeDef) => ({
  name,
  op,
  ...(input.length > 0 && { input }),
  attr: Object.fromEntries(Object.entries(attr).map(([key, value]) => [key, attributeJson(value)]))
})

const attributeJson = (attribute: Attribute) => {
  if ("type" in attribute) return { type: dataTypes[attribute.type] }
  if ("shape" in attribute) return { shape: shapeJson(attribute.shape) }
  if ("ints" in attribute) return { list: { i: attribute.ints.map(String) } }
  if ("bool" in attribute) return { b: attribute.bool }
  if ("int" in attribute) return { i: String(attribute.int) }
  if ("text" in attribute) return { s: btoa(attribute.text) }
  // The values lie in the files of weights, under the node's name.
  const { shape, values } = attribute.tensor
  const dtype = dataTypes[values instanceof Float32Array ? "float32" : "int32"]
  return { tensor: { dtype, tensorShape: shapeJson(shape) } }
}

const shapeJson = (shape: Shape) => ({ dim: shape.map((extent) => ({ size: String(extent) })) })

const tensorInfo = ({ name, shape }: Signature) => ({
  name: `${name}:0`,
  dtype: dataTypes.float32,
  tensorShape: shapeJson(shape)
})

/** One run of bytes after the other, cut into files of equal size. */
const shardsOf = (pieces: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
  const total = pieces.reduce((sum, { length }) => sum + length, 0)
  const joined = new Uint8Array(total)
  let position = 0
  for (const piece of pieces) {
    joined.set(piece, position)
    position += piece.length
  }
  const count = Math.max(1, Math.ceil(total / SHARD_BYTES))
  return Array.from({ length: count }, (_, index) =>
    joined.subarray(index * SHARD_BYTES, (index + 1) * SHARD_BYTES)
  )
}
