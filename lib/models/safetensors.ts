/**
 * safetensors, the file format of Hugging Face: 8 bytes of header length, a JSON header with the dtype,
 * shape and place of every array, then their bytes. Ours are deterministic: names sorted, arrays in that
 * order, no gaps.
 */
import { Effect, Schema } from "effect"
import { sizeOf } from "../nn/Weights.ts"
import { readSafetensorsHeader, type SafetensorsEntry } from "./safetensors-header.ts"

export type ArrayValues = Float32Array | Int32Array | Uint8Array

/** A row-major array; its dtype is the kind of its values. */
export interface NamedArray {
  readonly shape: ReadonlyArray<number>
  readonly values: ArrayValues
}

export interface Safetensors {
  readonly arrays: Readonly<Record<string, NamedArray>>
  readonly metadata: Readonly<Record<string, string>>
}

export class SafetensorsError extends Schema.TaggedError<SafetensorsError>()("SafetensorsError", {
  reason: Schema.String
}) {
  override get message() {
    return `These bytes are not a whole safetensors file: ${this.reason}. Fetch or write it again.`
  }
}

const DType = Schema.Literals(["F32", "I32", "U8"])
type DType = typeof DType.Type

const dtypeOf = (values: ArrayValues): DType =>
  values instanceof Float32Array ? "F32" : values instanceof Int32Array ? "I32" : "U8"

/**
 * Sizes are checked by the caller's types only: a shape that does not fit its values is a defect and
 * throws.
 */
export const encodeSafetensors = ({ arrays, metadata }: Safetensors): Uint8Array<ArrayBuffer> => {
  const names = Object.keys(arrays).sort()
  const entries = Object.keys(metadata).length === 0 ? [] : [`"__metadata__":${sortedJson(metadata)}`]
  let end = 0
  for (const name of names) {
    const { shape, values } = arrays[name]!
    if (sizeOf(shape) !== values.length) {
      throw new Error(
        `Array "${name}" has ${values.length} values, its shape [${shape}] asks for ${sizeOf(shape)}.`
      )
    }
    const offsets = [end, end + values.byteLength]
    entries.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype: dtypeOf(values), shape, data_offsets: offsets })}`
    )
    end += values.byteLength
  }
  const header = new TextEncoder().encode(`{${entries.join(",")}}`)
  // The data begin at a multiple of 8, so that a reader may map them; the format pads with spaces.
  const headerLength = Math.ceil(header.length / 8) * 8
  const bytes = new Uint8Array(8 + headerLength + end)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerLength), true)
  bytes.fill(0x20, 8, 8 + headerLength)
  bytes.set(header, 8)
  let position = 8 + headerLength
  for (const name of names) {
    const { values } = arrays[name]!
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), position)
    position += values.byteLength
  }
  return bytes
}

const sortedJson = (record: Readonly<Record<string, string>>): string =>
  `{${Object.keys(record)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${JSON.stringify(record[key])}`)
    .join(",")}}`

/** Reads F32, I32 and U8 arrays; everything the header says is checked against the bytes that are there. */
export const decodeSafetensors = Effect.fn("decodeSafetensors")(function* (bytes: Uint8Array) {
  const { entries, metadata } = yield* Effect.fromResult(readSafetensorsHeader(bytes)).pipe(
    Effect.mapError((reason) => new SafetensorsError({ reason }))
  )
  const arrays = yield* Effect.forEach(entries, (entry) =>
    Effect.map(readArray(entry), (array) => [entry.name, array] as const)
  )
  return { arrays: Object.fromEntries(arrays), metadata } satisfies Safetensors
})

const readArray = (entry: SafetensorsEntry): Effect.Effect<NamedArray, SafetensorsError> => {
  const { dtype, name, shape } = entry
  if (!Schema.is(DType)(dtype)) {
    return Effect.fail(
      new SafetensorsError({ reason: `"${name}" has dtype ${dtype}; F32, I32 and U8 can be read` })
    )
  }
  // A copy: the bytes may start anywhere, typed arrays only at multiples of their element size. Not by
  // `slice`, which copies nothing of a Buffer.
  const { buffer } = new Uint8Array(entry.bytes)
  const values =
    dtype === "F32"
      ? new Float32Array(buffer)
      : dtype === "I32"
        ? new Int32Array(buffer)
        : new Uint8Array(buffer)
  return Effect.succeed({ shape, values })
}
