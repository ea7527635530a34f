/**
 * Every node that a test traces is compared with the operations of TensorFlow 2.9.1: what is recorded has to
 * run on the library of tfjs-node as well.
 */
import type { Attributes } from "../../infra/tensorflow/attributes.ts"
import { Graph } from "../../infra/tensorflow/graph.ts"
import { readGolden } from "./golden.ts"

interface Operations {
  readonly version: string
  readonly operations: { readonly [name: string]: ReadonlyArray<string> }
}

let read: Operations | undefined

/** Read when first asked: benchmarks are bundled, and far from the file. */
const olderOperations = (): Operations => {
  read ??= readGolden<Operations>("older-operations")
  return read
}

/** What is wrong with a node, in words to act on; nothing for operations of our own. */
export const olderProblem = (type: string, attributes: Attributes = {}): string | undefined => {
  if (type.startsWith("Distillery")) return undefined
  const older = olderOperations()
  const known = older.operations[type]
  if (known === undefined) return `TensorFlow ${older.version} has no operation ${type}`
  const unknown = Object.keys(attributes).find((name) => !known.includes(name))
  return unknown === undefined
    ? undefined
    : `${type} has no attribute ${unknown} in TensorFlow ${older.version} (it has ${known.join(", ")})`
}

/** From now on, graphs of this process refuse such nodes. */
export const guardOperations = (): void => {
  const { node } = Graph.prototype
  Graph.prototype.node = function (this: Graph, ...given) {
    const problem = olderProblem(given[0], given[2])
    if (problem !== undefined) throw new Error(problem)
    return node.apply(this, given)
  }
}
