/** Storages of a pickle, and tensors once the bytes of those are known; the same for both containers. */
import { bytesPerElement, type NamedTensors, type StoredTensor } from "../StoredTensor.ts"
import { isGlobal, isList, type PickledTensor, type PickleValue, type Storage } from "./PickleValue.ts"
import { storageDtypeOf } from "./torchGlobals.ts"
import { refusedTorch } from "./WeightsFileInvalid.ts"

export interface TorchContents {
  readonly tensors: NamedTensors
  /** Keys of the file that are not read. */
  readonly besides: ReadonlyArray<string>
}

/**
 * A persistent id is `("storage", kind, key, device, number of elements)`; the legacy format adds `None` or,
 * for a part of a storage, `(key of the part, first element, number of elements)`.
 */
export const storageOf = (id: PickleValue): Storage => {
  const [what, kind, key, , numElements, part = null] = isList(id) ? id : []
  if (what !== "storage" || kind === undefined || !isGlobal(kind) || typeof key !== "string") {
    throw refusedTorch("its pickle refers to something outside that is no storage")
  }
  const whole = { _tag: "Storage", dtype: storageDtypeOf(kind), key } as const
  if (!isCount(numElements)) throw refusedTorch(`storage "${key}" has no number of elements`)
  if (part === null) return { ...whole, firstElement: 0, numElements }
  const [, first, count] = isList(part) ? part : []
  if (!isCount(first) || !isCount(count) || first + count > numElements) {
    throw refusedTorch(`a part of storage "${key}" lies outside of it`)
  }
  return { ...whole, firstElement: first, numElements: count }
}

const isCount = (value: PickleValue | undefined): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

/** Tensors over the bytes of their storages, which are not copied. */
export const storedTensors = (
  tensors: ReadonlyMap<string, PickledTensor>,
  bytesOf: (key: string) => Uint8Array
): NamedTensors => new Map(Array.from(tensors, ([name, tensor]) => [name, stored(tensor, bytesOf)]))

const stored = (tensor: PickledTensor, bytesOf: (key: string) => Uint8Array): StoredTensor => {
  const { offset, shape, storage, strides } = tensor
  const bytes = bytesOf(storage.key)
  const needed = (storage.firstElement + storage.numElements) * bytesPerElement[storage.dtype]
  if (needed > bytes.length) {
    throw refusedTorch(`storage "${storage.key}" should have ${needed} bytes, it has ${bytes.length}`)
  }
  return { dtype: storage.dtype, shape, strides, offset: storage.firstElement + offset, storage: bytes }
}
