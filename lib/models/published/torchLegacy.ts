/**
 * What `torch.save` wrote before PyTorch 1.6, and still does on request: five pickles (a magic number, the
 * format's version, facts on the machine, the object, the keys of its storages), then the storages, each a
 * count of elements and their bytes.
 */
import { bytesPerElement, type StoredDtype } from "../StoredTensor.ts"
import { isDict, isList, type PickleValue } from "./PickleValue.ts"
import { stateDictOf } from "./stateDict.ts"
import { storageOf, storedTensors, type TorchContents } from "./torchStorages.ts"
import { type Load, unpickle } from "./unpickle.ts"
import { refusedTorch } from "./WeightsFileInvalid.ts"

const magicNumber = 0x1950a86a20f9469cfc6cn

const formatVersion = 1001

/** Reads the tensors under `key`. Throws `WeightsFileInvalid` and `ForbiddenGlobal`. */
export const readTorchLegacy = (bytes: Uint8Array, key: string | undefined): TorchContents => {
  const dtypes = new Map<string, StoredDtype>()
  const load: Load = (id) => {
    const storage = storageOf(id)
    if ((dtypes.get(storage.key) ?? storage.dtype) !== storage.dtype) {
      throw refusedTorch(`storage "${storage.key}" is said to be of two kinds`)
    }
    dtypes.set(storage.key, storage.dtype)
    return storage
  }
  const [root, keys, end] = objectAndKeys(bytes, load)
  const storages = storagesAt(bytes, end, keys, dtypes)
  const { besides, tensors } = stateDictOf(root, key)
  const bytesOf = (of: string) => {
    const found = storages.get(of)
    if (found === undefined) throw refusedTorch(`storage "${of}" is missing`)
    return found
  }
  return { tensors: storedTensors(tensors, bytesOf), besides }
}

const objectAndKeys = (
  bytes: Uint8Array,
  load: Load
): readonly [root: PickleValue, keys: ReadonlyArray<PickleValue>, end: number] => {
  const none: Load = () => {
    throw refusedTorch("its first pickles refer to storages")
  }
  const magic = unpickle(bytes, 0, none)
  if (magic.value !== magicNumber) {
    throw refusedTorch(
      "it is a pickle, but not one of torch.save",
      "Save the weights: torch.save(model.state_dict(), path)."
    )
  }
  const version = unpickle(bytes, magic.end, none)
  if (version.value !== formatVersion) {
    throw refusedTorch(`it is of version ${String(version.value)}, ${formatVersion} can be read`)
  }
  const machine = unpickle(bytes, version.end, none)
  if (!isDict(machine.value) || machine.value.get("little_endian") !== true) {
    throw refusedTorch("its numbers are big-endian", "Load it in Python on such a machine, and save it anew.")
  }
  const root = unpickle(bytes, machine.end, load)
  const keys = unpickle(bytes, root.end, none)
  if (!isList(keys.value)) throw refusedTorch("the list of its storages is missing")
  return [root.value, keys.value, keys.end]
}

const storagesAt = (
  bytes: Uint8Array,
  begin: number,
  keys: ReadonlyArray<PickleValue>,
  dtypes: ReadonlyMap<string, StoredDtype>
): ReadonlyMap<string, Uint8Array> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const storages = new Map<string, Uint8Array>()
  let at = begin
  for (const key of keys) {
    const dtype = typeof key === "string" ? dtypes.get(key) : undefined
    if (typeof key !== "string" || dtype === undefined) throw refusedTorch("it has a storage of no tensor")
    if (storages.has(key)) throw refusedTorch(`storage "${key}" is there twice`)
    if (at + 8 > bytes.length) throw refusedTorch(`it breaks off before storage "${key}"`)
    const sizeBytes = Number(view.getBigUint64(at, true)) * bytesPerElement[dtype]
    if (at + 8 + sizeBytes > bytes.length) throw refusedTorch(`it breaks off within storage "${key}"`)
    storages.set(key, bytes.subarray(at + 8, at + 8 + sizeBytes))
    at += 8 + sizeBytes
  }
  if (at !== bytes.length) throw refusedTorch(`${bytes.length - at} bytes follow its last storage`)
  return storages
}
