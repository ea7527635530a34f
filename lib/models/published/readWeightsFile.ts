/** Published weights, from the bytes of a file: safetensors, or what `torch.save` writes. */
import { Effect, Result } from "effect"
import { type NamedTensors, rowMajorStrides } from "../StoredTensor.ts"
import { readSafetensorsHeader } from "../safetensors-header.ts"
import { readTorchLegacy } from "./torchLegacy.ts"
import type { TorchContents } from "./torchStorages.ts"
import { readTorchZip } from "./torchZip.ts"
import {
  parsing,
  refusedSafetensors,
  type WeightsFileError,
  WeightsFileInvalid
} from "./WeightsFileInvalid.ts"

export interface WeightsFile {
  readonly format: "safetensors" | "torch-zip" | "torch-legacy"
  readonly tensors: NamedTensors
  /** What a PyTorch file holds besides: `epoch`, `optimizer`, … */
  readonly besides: ReadonlyArray<string>
}

export interface WeightsFileOptions {
  /**
   * Under which key of a PyTorch file the weights are ("state_dict_ema"). Where it is left out: at the
   * outermost level, else under a usual key.
   */
  readonly key?: string
}

/**
 * The tensors of a file, as views of `bytes`: only what is deflated, which PyTorch's files are not, is
 * copied. The prefixes of wrappers (`module.` of DataParallel) are taken off. Fails with `WeightsFileInvalid`
 * where bytes are damaged, of a kind that is not read, or no such tensors are there; with `ForbiddenGlobal`
 * where a pickle asks for more than tensors. Nothing that a file says is run.
 */
export const readWeightsFile = (
  bytes: Uint8Array,
  options: WeightsFileOptions = {}
): Effect.Effect<WeightsFile, WeightsFileError> =>
  Effect.gen(function* () {
    const format = formatOf(bytes)
    if (format instanceof WeightsFileInvalid) return yield* format
    const { besides, tensors } = yield* contentsOf(format, bytes, options.key)
    return { format, besides, tensors: yield* parsing(() => unwrapped(tensors)) }
  }).pipe(Effect.withSpan("readWeightsFile"))

const contentsOf = (
  format: WeightsFile["format"],
  bytes: Uint8Array,
  key: string | undefined
): Effect.Effect<TorchContents, WeightsFileError> => {
  switch (format) {
    case "safetensors":
      return parsing(() => ({ tensors: readSafetensors(bytes), besides: [] }))
    case "torch-zip":
      return readTorchZip(bytes, key)
    case "torch-legacy":
      return parsing(() => readTorchLegacy(bytes, key))
  }
}

/** What files that are not read begin with, and what to do with them. */
const others = [
  [
    "version https://git-lfs",
    "it is a pointer of Git LFS, not the file",
    "Fetch the file itself (git lfs pull)."
  ],
  ["<", "it is a web page", "Fetch the file itself; the address may ask for a login."],
  ["\u0089HDF", "it is HDF5, as Keras saves", "Save the weights as safetensors."],
  ["\u001f\u008b", "it is compressed by gzip", "Decompress it first."]
] as const

const formatOf = (bytes: Uint8Array): WeightsFile["format"] | WeightsFileInvalid => {
  const start = String.fromCharCode(...bytes.subarray(0, 24))
  if (start.startsWith("PK\u0003\u0004")) return "torch-zip"
  // First: the length of its header may begin with the byte of a pickle.
  if (start[8] === "{") return "safetensors"
  if (start.startsWith("\u0080")) return "torch-legacy"
  const [, reason, remedy] = others.find(([beginning]) => start.startsWith(beginning)) ?? [
    "",
    bytes.length === 0 ? "it is empty" : "it is neither safetensors nor a file of torch.save",
    "Give it as one of these: safetensors.torch.save_file(model.state_dict(), path) in Python."
  ]
  return new WeightsFileInvalid({ format: "unknown", reason, remedy })
}

const readSafetensors = (bytes: Uint8Array): NamedTensors => {
  const header = readSafetensorsHeader(bytes)
  if (Result.isFailure(header)) throw refusedSafetensors(header.failure)
  const { entries, metadata } = header.success
  const { format = "pt" } = metadata
  if (format !== "pt") {
    throw refusedSafetensors(
      `it says that its arrays are those of "${format}", whose layouts are others than PyTorch's`,
      "Save the weights of a PyTorch model."
    )
  }
  return new Map(
    entries.map(({ bytes: storage, dtype, name, shape }) => [
      name,
      { dtype, shape, strides: rowMajorStrides(shape), offset: 0, storage }
    ])
  )
}

/** Of DataParallel, of torch.compile, and of who kept a model as a part of another. */
const wrappers = ["module.", "_orig_mod.", "model."]

/** Names are matched with rules, which take long for names that nobody would give. */
const nameLengthMax = 512

const unwrapped = (tensors: NamedTensors): NamedTensors => {
  const tooLong = [...tensors.keys()].find((name) => name.length > nameLengthMax)
  if (tooLong !== undefined) {
    throw new WeightsFileInvalid({
      format: "unknown",
      reason: `a tensor's name has ${tooLong.length} characters, more than ${nameLengthMax}`,
      remedy: "Give the tensors shorter names."
    })
  }
  let entries = [...tensors]
  for (let round = 0; round < wrappers.length; round++) {
    const prefix = wrappers.find((wrapper) => entries.every(([name]) => name.startsWith(wrapper))) ?? ""
    entries = entries.map(([name, tensor]) => [name.slice(prefix.length), tensor])
  }
  return new Map(entries)
}
