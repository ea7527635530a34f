/** Nodes of a TensorFlow graph, in no encoding. */
import type { Shape } from "./InferenceGraph.ts"

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

export const float: Attribute = { type: "float32" }
export const int32: Attribute = { type: "int32" }
export const NHWC: Attribute = { text: "NHWC" }

export const constantNode = (name: string, values: Float32Array | Int32Array, shape: Shape): NodeDef => ({
  name,
  op: "Const",
  input: [],
  attr: { dtype: values instanceof Float32Array ? float : int32, value: { tensor: { shape, values } } }
})

export const intsNode = (
  name: string,
  values: ReadonlyArray<number>,
  shape: Shape = [values.length]
): NodeDef => constantNode(name, Int32Array.from(values), shape)

export const padded = (
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
