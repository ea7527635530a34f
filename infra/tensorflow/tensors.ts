/** Tensors of the C API: memory TensorFlow allocates and this process writes and reads in place. */
import koffi from "koffi"
import { int64 } from "./attributes.ts"
import { DataType, type Pointer, type TensorFlow } from "./capi.ts"

/** Element arrays on our side; booleans are bytes. */
export type Values = Float32Array | Int32Array | Uint8Array

/** The types that cross the border; bfloat16 lives inside graphs only. */
export type TfjsDtype = "float32" | "int32" | "bool"

export const dataTypeOf = (dtype: string): DataType => {
  const known = dtypes[dtype as TfjsDtype]
  if (known === undefined) throw new Error(`the graph backend has no tensors of dtype ${dtype}`)
  return known
}

export const dtypeOf = (type: DataType): TfjsDtype => {
  const known = Object.entries(dtypes).find(([, value]) => value === type)
  if (known === undefined) throw new Error(`TensorFlow data type ${type} has no counterpart in tfjs`)
  return known[0] as TfjsDtype
}

const dtypes: { readonly [D in TfjsDtype]: DataType } = {
  float32: DataType.float32,
  int32: DataType.int32,
  bool: DataType.bool
}

export const valuesOf = (dtype: TfjsDtype, source: ArrayLike<number> | ArrayBuffer): Values => {
  const array = dtype === "float32" ? Float32Array : dtype === "int32" ? Int32Array : Uint8Array
  return source instanceof ArrayBuffer ? new array(source) : array.from(source)
}

const bytesPerElement = (dtype: TfjsDtype): number => (dtype === "bool" ? 1 : 4)

export const sizeOf = (shape: ReadonlyArray<number>): number =>
  shape.reduce((product, length) => product * length, 1)

/** Memory for a tensor, uninitialised. Whoever allocates, deletes. */
export const allocateTensor = (
  { call }: TensorFlow,
  shape: ReadonlyArray<number>,
  dtype: TfjsDtype
): Pointer => {
  const bytes = sizeOf(shape) * bytesPerElement(dtype)
  return call.TF_AllocateTensor(dataTypeOf(dtype), int64(shape), shape.length, bytes) as Pointer
}

/** The tensor's own bytes: writing here writes the tensor. Valid until the tensor is deleted. */
export const bytesOf = ({ call }: TensorFlow, tensor: Pointer): Uint8Array<ArrayBuffer> => {
  const length = Number(call.TF_TensorByteSize(tensor))
  return length === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(call.TF_TensorData(tensor), length))
}

export const writeTensor = (bytes: Uint8Array, values: Values): void =>
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))

export const tensorFrom = (
  library: TensorFlow,
  values: Values,
  shape: ReadonlyArray<number>,
  dtype: TfjsDtype
): Pointer => {
  const tensor = allocateTensor(library, shape, dtype)
  writeTensor(bytesOf(library, tensor), values)
  return tensor
}

/** Copies a fetched tensor out and frees it. */
export const takeValues = (library: TensorFlow, tensor: Pointer, dtype: TfjsDtype): Values => {
  const copy = bytesOf(library, tensor).slice().buffer
  library.call.TF_DeleteTensor(tensor)
  return valuesOf(dtype, copy)
}
