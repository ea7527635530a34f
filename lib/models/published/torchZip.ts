/**
 * What `torch.save` writes since PyTorch 1.6: a zip archive of one folder with `data.pkl`, a pickle, and one
 * file of `data/` for each storage.
 */
import { Effect } from "effect"
import { inflate } from "./inflate.ts"
import { stateDictOf } from "./stateDict.ts"
import { storageOf, storedTensors, type TorchContents } from "./torchStorages.ts"
import { unpickle } from "./unpickle.ts"
import { parsing, refusedTorch, type WeightsFileError } from "./WeightsFileInvalid.ts"
import { checked, listZip, type ZipEntry } from "./zip.ts"

/** Weights hardly compress; more than this many times the file's size is an attack. */
const expansionMax = 32

/** Reads the tensors under `key`; storages of no such tensor are not looked at. */
export const readTorchZip = (
  bytes: Uint8Array,
  key: string | undefined
): Effect.Effect<TorchContents, WeightsFileError> =>
  Effect.gen(function* () {
    const entries = yield* parsing(() => listZip(bytes))
    const folder = yield* parsing(() => folderOf(entries))
    const open = (entry: ZipEntry) => unpacked(entry, expansionMax * bytes.length)
    const pickle = yield* open(entries.get(`${folder}data.pkl`)!)
    const byteOrder = entries.get(`${folder}byteorder`)
    if (byteOrder !== undefined && new TextDecoder().decode(yield* open(byteOrder)) !== "little") {
      return yield* refusedTorch("its numbers are big-endian", "Save it anew on a usual machine.")
    }
    const { besides, tensors } = yield* parsing(() => stateDictOf(unpickle(pickle, 0, storageOf).value, key))
    const storages = new Map<string, Uint8Array>()
    for (const of of new Set(Array.from(tensors.values(), ({ storage }) => storage.key))) {
      const entry = entries.get(`${folder}data/${of}`)
      if (entry === undefined) return yield* refusedTorch(`storage "${of}" is missing`)
      storages.set(of, yield* open(entry))
    }
    return {
      tensors: yield* parsing(() => storedTensors(tensors, (of) => storages.get(of)!)),
      besides
    }
  })

const unpacked = (entry: ZipEntry, sizeBytesMax: number): Effect.Effect<Uint8Array, WeightsFileError> => {
  if (!entry.deflated) return parsing(() => checked(entry, entry.packed))
  if (entry.sizeBytes > sizeBytesMax) {
    return Effect.fail(
      refusedTorch(`"${entry.name}" would become ${entry.sizeBytes} bytes, far more than it is packed in`)
    )
  }
  return inflate(entry.name, entry.packed, entry.sizeBytes).pipe(
    Effect.flatMap((inflated) => parsing(() => checked(entry, inflated)))
  )
}

/** "resnet50/" where the archive holds `resnet50/data.pkl`. */
const folderOf = (entries: ReadonlyMap<string, ZipEntry>): string => {
  const [pickle, ...others] = [...entries.keys()].filter((name) => /^([^/]+\/)?data\.pkl$/.test(name))
  if (pickle === undefined || others.length > 0) {
    throw refusedTorch(
      "it is a zip archive, but not one of torch.save: data.pkl is missing",
      "Save the weights: torch.save(model.state_dict(), path)."
    )
  }
  const folder = pickle.slice(0, -"data.pkl".length)
  if (entries.has(`${folder}constants.pkl`)) {
    throw refusedTorch(
      "it is a TorchScript program",
      "Save its weights: torch.save(torch.jit.load(path).state_dict(), other)."
    )
  }
  return folder
}
