/** Where in what `torch.save` was given the weights are, and what lies beside them. */
import { isDict, isTensor, type PickleDict, type PickledTensor, type PickleValue } from "./PickleValue.ts"
import { refusedTorch } from "./WeightsFileInvalid.ts"

export interface StateDict {
  readonly tensors: ReadonlyMap<string, PickledTensor>
  /** Keys of the file that were left: `epoch`, `optimizer`, `state_dict_ema`, … */
  readonly besides: ReadonlyArray<string>
}

/** Under which trainers keep weights beside other things, the usual one first. */
const usualKeys = ["state_dict", "model_state_dict", "model", "net", "network", "state_dict_ema", "model_ema"]

/**
 * The dictionary of tensors under `key`; where none is named, the one under the first usual key that has any,
 * else the outermost one. Throws `WeightsFileInvalid`.
 */
export const stateDictOf = (root: PickleValue, key: string | undefined): StateDict => {
  if (!isDict(root)) {
    throw refusedTorch(
      "it holds no dictionary of tensors",
      "Save the weights: torch.save(model.state_dict(), path)."
    )
  }
  const found = key ?? usualKeys.find((usual) => holdsTensors(root.get(usual)))
  const dict = found === undefined ? root : root.get(found)
  if (!isDict(dict) || !holdsTensors(dict)) throw noTensors(root, key)
  return {
    tensors: tensorsOf(dict),
    besides: [
      ...(dict === root ? [] : keysOf(root, (value) => value !== dict)),
      ...keysOf(dict, (value) => !isTensor(value))
    ]
  }
}

const noTensors = (root: PickleDict, key: string | undefined) => {
  const where = key === undefined ? "where weights usually are" : `under "${key}"`
  const dicts = keysOf(root, holdsTensors)
  return refusedTorch(
    `there are no tensors ${where}`,
    dicts.length === 0
      ? "Save the weights: torch.save(model.state_dict(), path)."
      : `Name one of the keys under which there are some: ${dicts.slice(0, 8).join(", ")}.`
  )
}

const keysOf = (dict: PickleDict, which: (value: PickleValue) => boolean): ReadonlyArray<string> =>
  [...dict].filter(([, value]) => which(value)).map(([key]) => nameOf(key))

const nameOf = (key: PickleValue): string =>
  typeof key === "string" || typeof key === "number" ? String(key) : "a key that is no text"

const holdsTensors = (value: PickleValue | undefined): boolean => isDict(value) && tensorsOf(value).size > 0

const tensorsOf = (dict: PickleDict): ReadonlyMap<string, PickledTensor> => {
  const tensors = new Map<string, PickledTensor>()
  for (const [key, value] of dict) if (typeof key === "string" && isTensor(value)) tensors.set(key, value)
  return tensors
}
