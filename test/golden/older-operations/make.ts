/**
 * Makes `golden.json`: the operations of TensorFlow 2.9.1 and their attributes, as `TF_GetAllOpList` gives
 * them. `node test/golden/older-operations/make.ts`, with pip, cc and nm at hand. What it fetches stays in
 * the user's cache, and from then on tests run on it, too.
 */
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import process from "node:process"
import koffi from "koffi"
import { installOlder, olderVersion } from "../../support/olderTensorflow.ts"

/** Fields of a protobuf message that hold bytes, by number. The others (numbers) are left out. */
const fieldsOf = (message: Buffer): ReadonlyArray<readonly [field: number, content: Buffer]> => {
  const fields: Array<readonly [number, Buffer]> = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++]!
      value += (byte & 0x7f) * shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const type = tag & 7
    if (type === 0) varint()
    else if (type === 5) at += 4
    else if (type === 1) at += 8
    else {
      const length = varint()
      fields.push([tag >>> 3, message.subarray(at, at + length)])
      at += length
    }
  }
  return fields
}

const partsOf = (message: Buffer, field: number): ReadonlyArray<Buffer> =>
  fieldsOf(message).flatMap(([found, content]) => (found === field ? [content] : []))

const nameOf = (message: Buffer): string => partsOf(message, 1)[0]!.toString()

/** In op_def.proto: `OpList.op` is field 1, `OpDef.name` 1, `OpDef.attr` 4, `AttrDef.name` 1. */
const operationsOf = (list: Buffer) =>
  partsOf(list, 1).map((definition) => [nameOf(definition), partsOf(definition, 4).map(nameOf)] as const)

const listOperations = (directory: string): Buffer => {
  koffi.load(join(directory, "libtensorflow_framework.so.2"), { global: true })
  const library = koffi.load(join(directory, "libtensorflow.so.2"), { global: true })
  koffi.struct("TF_Buffer", { data: "void*", length: "size_t", deallocator: "void*" })
  const list = library.func("TF_Buffer* TF_GetAllOpList()")() as object
  const { data, length } = koffi.decode(list, "TF_Buffer") as { data: object; length: number }
  return Buffer.from(koffi.decode(data, "uint8_t", length) as Uint8Array)
}

const { directory, preload } = await installOlder()
if (process.env.LD_PRELOAD === preload) {
  const lines = operationsOf(listOperations(directory))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, attributes]) => `    ${JSON.stringify(name)}: ${JSON.stringify(attributes)}`)
  const text = `{\n  "version": "${olderVersion}",\n  "operations": {\n${lines.join(",\n")}\n  }\n}\n`
  writeFileSync(join(import.meta.dirname, "golden.json"), text)
  console.log(`${lines.length} operations`)
} else {
  const environment = { ...process.env, LD_PRELOAD: preload }
  const { status } = spawnSync(process.execPath, [import.meta.filename], {
    env: environment,
    stdio: "inherit"
  })
  process.exitCode = status ?? 1
}
