/**
 * The names that a pickle of tensors may ask for, all of them: kinds of storage, and functions that put a
 * tensor or a dictionary together. They stand for what is written here; nothing of Python is run.
 */
import { sizeOf } from "../../nn/Weights.ts"
import { endInStorage, type StoredDtype } from "../StoredTensor.ts"
import {
  type Global,
  isList,
  isStorage,
  isTensor,
  type PickledTensor,
  type PickleValue
} from "./PickleValue.ts"
import { ForbiddenGlobal, refusedTorch } from "./WeightsFileInvalid.ts"

const storageDtypes: Readonly<Record<string, StoredDtype>> = {
  "torch.DoubleStorage": "F64",
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL"
}

type Arguments = ReadonlyArray<PickleValue>

const functions: Readonly<Record<string, (args: Arguments) => PickleValue>> = {
  "collections.OrderedDict": (args) => orderedDict(args),
  "torch.Size": ([extents]) => extentsOf(extents, "the argument of torch.Size"),
  "torch._utils._rebuild_tensor": (args) => rebuildTensor(args),
  "torch._utils._rebuild_tensor_v2": (args) => rebuildTensor(args),
  "torch._utils._rebuild_parameter": ([tensor]) => {
    if (!isTensor(tensor)) throw refusedTorch("a parameter of its pickle is not a tensor")
    return tensor
  }
}

/** The name as a value; throws `ForbiddenGlobal` for every other one than those above. */
export const globalOf = (module: string, name: string): Global => {
  const whole = `${module}.${name}`
  if (Object.hasOwn(storageDtypes, whole) || Object.hasOwn(functions, whole)) {
    return { _tag: "Global", name: whole }
  }
  throw new ForbiddenGlobal({ global: whole.length > 120 ? `${whole.slice(0, 120)}…` : whole })
}

export const storageDtypeOf = ({ name }: Global): StoredDtype => {
  const dtype = storageDtypes[name]
  if (dtype === undefined) throw refusedTorch(`its pickle takes "${name}" for a kind of storage`)
  return dtype
}

export const call = ({ name }: Global, args: Arguments): PickleValue => {
  const known = functions[name]
  if (known === undefined) throw refusedTorch(`its pickle calls "${name}", which is no function`)
  return known(args)
}

/** Python 3 fills the dictionary afterwards, Python 2 hands its pairs over. */
const orderedDict = (args: Arguments): PickleValue => {
  const pairs = args[0] ?? []
  if (!isList(pairs)) throw refusedTorch("a dictionary of its pickle is not made of pairs")
  const dict = new Map<PickleValue, PickleValue>()
  for (const pair of pairs) {
    if (!isList(pair) || pair.length !== 2) {
      throw refusedTorch("a dictionary of its pickle is not made of pairs")
    }
    dict.set(pair[0]!, pair[1]!)
  }
  return dict
}

/** PyTorch's own limit. */
const axesMax = 64

/** A tensor that repeats what its storage holds may grow so far, to 64 MiB. */
const repeatedElementsMax = 2 ** 24

/** Arguments: storage, offset, size, strides, and what does not matter here (gradients, hooks, metadata). */
const rebuildTensor = ([storage, offset, size, stride]: Arguments): PickledTensor => {
  if (!isStorage(storage)) throw refusedTorch("a tensor of its pickle lies in no storage")
  if (!isExtent(offset)) throw refusedTorch("a tensor of its pickle begins nowhere in its storage")
  const shape = extentsOf(size, "the size of a tensor")
  const strides = extentsOf(stride, "the strides of a tensor")
  if (strides.length !== shape.length) throw refusedTorch("a tensor has not one stride for each axis")
  const end = endInStorage({ offset, shape, strides })
  if (end > storage.numElements) {
    const reach = `element ${end} of storage "${storage.key}", which has ${storage.numElements}`
    throw refusedTorch(`a tensor of shape [${shape}] reaches to ${reach}`)
  }
  if (!shape.includes(0) && sizeOf(shape) > Math.max(storage.numElements, repeatedElementsMax)) {
    throw refusedTorch(
      `a tensor of shape [${shape}] repeats the ${storage.numElements} values of its storage`
    )
  }
  return { _tag: "Tensor", storage, offset, shape, strides }
}

const isExtent = (value: PickleValue | undefined): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

const extentsOf = (value: PickleValue | undefined, what: string): ReadonlyArray<number> => {
  if (!isList(value) || value.length > axesMax || !value.every(isExtent)) {
    throw refusedTorch(`${what} in its pickle is not a list of up to ${axesMax} natural numbers`)
  }
  return value
}
