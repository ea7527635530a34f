/**
 * A tensor of a file, as the file has it: bytes that are not copied, and where in them each value lies. What
 * is to be used becomes 32-bit floats, in one go with the change of layout.
 */
import { sizeOf } from "../nn/Weights.ts"

/** Spelled as in safetensors. */
export type StoredDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U8" | "BOOL"

export const bytesPerElement: Readonly<Record<StoredDtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1
}

export const isStoredDtype = (name: string): name is StoredDtype => Object.hasOwn(bytesPerElement, name)

export interface StoredTensor {
  readonly dtype: StoredDtype
  readonly shape: ReadonlyArray<number>
  /** Of each axis: elements of the storage from one index to the next. */
  readonly strides: ReadonlyArray<number>
  /** The element of the storage that the first value is. */
  readonly offset: number
  /** Little-endian; other tensors may lie in the same bytes. */
  readonly storage: Uint8Array
}

/** By the names of the file. A map, because a file may call a tensor `__proto__`. */
export type NamedTensors = ReadonlyMap<string, StoredTensor>

/** Strides of a row-major array without gaps. */
export const rowMajorStrides = (shape: ReadonlyArray<number>): ReadonlyArray<number> =>
  shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))

/** One more than the last element of the storage that the tensor reads; 0 for a tensor without values. */
export const endInStorage = ({ offset, shape, strides }: Omit<StoredTensor, "dtype" | "storage">): number =>
  shape.includes(0)
    ? 0
    : shape.reduce((last, extent, axis) => last + (extent - 1) * strides[axis]!, offset) + 1

/**
 * The values as floats, row-major, the axes in another order: `[2, 3, 1, 0]` makes `[H, W, in, out]` of
 * `[out, in, H, W]`. Integers beyond 2^24 and 64-bit floats are rounded.
 */
export const floatsOf = (
  tensor: StoredTensor,
  axes: ReadonlyArray<number> = tensor.shape.map((_, axis) => axis)
): Float32Array<ArrayBuffer> => {
  const shape = axes.map((axis) => tensor.shape[axis]!)
  const strides = axes.map((axis) => tensor.strides[axis]!)
  const values = new Float32Array(sizeOf(shape))
  if (values.length > 0) gather(elementsOf(tensor), shape, strides, values)
  return values
}

/** What the tensor reads of its storage, from its first value on. */
const elementsOf = (tensor: StoredTensor): ArrayLike<number> => {
  const { dtype, offset, storage } = tensor
  const size = bytesPerElement[dtype]
  const used = storage.subarray(offset * size, endInStorage(tensor) * size)
  // Typed arrays begin at multiples of their element's size, files' tensors anywhere. Not by `slice`, which
  // copies nothing of a Buffer.
  const aligned = used.byteOffset % size === 0 ? used : new Uint8Array(used)
  return decoders[dtype](aligned.buffer, aligned.byteOffset, aligned.byteLength / size)
}

type Decoder = (buffer: ArrayBufferLike, offset: number, length: number) => ArrayLike<number>

const decoders: Readonly<Record<StoredDtype, Decoder>> = {
  F64: (...place) => new Float64Array(...place),
  F32: (...place) => new Float32Array(...place),
  F16: (...place) => float16s(new Uint16Array(...place)),
  BF16: (...place) => bfloat16s(new Uint16Array(...place)),
  I64: (...place) => Float64Array.from(new BigInt64Array(...place), Number),
  I32: (...place) => new Int32Array(...place),
  I16: (...place) => new Int16Array(...place),
  I8: (...place) => new Int8Array(...place),
  U8: (...place) => new Uint8Array(...place),
  BOOL: (...place) => Uint8Array.from(new Uint8Array(...place), (byte) => (byte === 0 ? 0 : 1))
}

const float16s = (halves: Uint16Array): Float32Array => {
  const bits = Uint32Array.from(halves, float32BitsOfHalf)
  return new Float32Array(bits.buffer)
}

/** IEEE 754: binary16 has 1 bit of sign, 5 of exponent (bias 15), 10 of fraction; binary32 1, 8 (127), 23. */
const float32BitsOfHalf = (half: number): number => {
  const sign = (half & 0x8000) << 16
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13)
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13)
  if (fraction === 0) return sign
  // Subnormal: the highest set bit becomes the one that normal numbers leave out.
  const shift = Math.clz32(fraction) - 21
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)
}

/** The upper half of a float32. */
const bfloat16s = (halves: Uint16Array): Float32Array => {
  const bits = Uint32Array.from(halves, (half) => half << 16)
  return new Float32Array(bits.buffer)
}

/** Row by row of the last axis; `index` counts through the others. */
const gather = (
  from: ArrayLike<number>,
  shape: ReadonlyArray<number>,
  strides: ReadonlyArray<number>,
  into: Float32Array
): void => {
  const last = shape.length - 1
  const extent = shape[last] ?? 1
  const step = strides[last] ?? 0
  const index = new Array<number>(Math.max(0, last)).fill(0)
  let start = 0
  for (let at = 0; at < into.length; at += extent) {
    for (let i = 0; i < extent; i++) into[at + i] = from[start + i * step]!
    for (let axis = last - 1; axis >= 0; axis--) {
      start += strides[axis]!
      index[axis]! += 1
      if (index[axis]! < shape[axis]!) break
      start -= shape[axis]! * strides[axis]!
      index[axis] = 0
    }
  }
}
