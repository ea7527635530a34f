/** Attributes of an operation under construction, e.g. `{ T: attribute.type(DataType.float32) }`. */
import { Buffer } from "node:buffer"
import type { DataType, Pointer, TensorFlow } from "./capi.ts"

/** Writes one attribute under `name` into an operation description. */
export type Attribute = (library: TensorFlow, description: Pointer, name: string) => void

export type Attributes = { readonly [name: string]: Attribute }

export const attribute = {
  type:
    (value: DataType): Attribute =>
    ({ call }, description, name) =>
      call.TF_SetAttrType(description, name, value),
  int:
    (value: number): Attribute =>
    ({ call }, description, name) =>
      call.TF_SetAttrInt(description, name, value),
  ints:
    (values: ReadonlyArray<number>): Attribute =>
    ({ call }, description, name) =>
      call.TF_SetAttrIntList(description, name, int64(values), values.length),
  float:
    (value: number): Attribute =>
    ({ call }, description, name) =>
      call.TF_SetAttrFloat(description, name, value),
  bool:
    (value: boolean): Attribute =>
    ({ call }, description, name) =>
      call.TF_SetAttrBool(description, name, value ? 1 : 0),
  string:
    (value: string): Attribute =>
    ({ call }, description, name) =>
      call.TF_SetAttrString(description, name, value, Buffer.byteLength(value)),
  shape:
    (value: ReadonlyArray<number>): Attribute =>
    ({ call }, description, name) =>
      call.TF_SetAttrShape(description, name, int64(value), value.length),
  tensor:
    (tensor: Pointer): Attribute =>
    (library, description, name) =>
      library.checked((status) => library.call.TF_SetAttrTensor(description, name, tensor, status))
}

/** The C API counts dimensions in 64 bits. */
export const int64 = (values: ReadonlyArray<number>): BigInt64Array =>
  BigInt64Array.from(values, (value) => BigInt(value))
