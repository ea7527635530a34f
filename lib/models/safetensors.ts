/**
 * safetensors, the file format of Hugging Face: 8 bytes of header length, a JSON header with the dtype,
 * shape and place of every array, then their bytes. Ours are deterministic: names sorted, arrays in that
 * order, no gaps.
 */
import { Effect, Schema } from "effect"
import { sizeOf } from "../nn/Weights.ts"

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

const bytesPer: Readonly<Record<DType, number>> = { F32: 4, I32: 4, U8: 1 }

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

const Extent = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Entry = Schema.Struct({
  dtype: Schema.String,
  shape: Schema.Array(Extent),
  data_offsets: Schema.Tuple([Extent, Extent])
})
type Entry = typeof Entry.Type
const Header = Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown))

const refuse = (reason: string) => new SafetensorsError({ reason })

/** Reads F32, I32 and U8 arrays; everything the header says is checked against the bytes that are there. */
export const decodeSafetensors = Effect.fn("decodeSafetensors")(function* (bytes: Uint8Array) {
  const headerLength = yield* readHeaderLength(bytes)
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + headerLength))
  const header = yield* Schema.decodeUnknownEffect(Header)(text).pipe(
    Effect.mapError(() => refuse("the header is not a JSON object"))
  )
  const { __metadata__, ...entries } = header
  const metadata = yield* Schema.decodeUnknownEffect(Schema.Record(Schema.String, Schema.String))(
    __metadata__ ?? {}
  ).pipe(Effect.mapError(() => refuse("__metadata__ must hold strings only")))
  const data = bytes.subarray(8 + headerLength)
  const arrays: Array<readonly [string, NamedArray]> = []
  const spans: Array<readonly [begin: number, end: number]> = []
  for (const [name, value] of Object.entries(entries)) {
    const entry = yield* Schema.decodeUnknownEffect(Entry)(value).pipe(
      Effect.mapError(() => refuse(`the entry of "${name}" must have dtype, shape and data_offsets`))
    )
    arrays.push([name, yield* readArray(name, entry, data)])
    spans.push(entry.data_offsets)
  }
  yield* checkCoverage(spans, data.length)
  return { arrays: Object.fromEntries(arrays), metadata } satisfies Safetensors
})

const readHeaderLength = (bytes: Uint8Array): Effect.Effect<number, SafetensorsError> => {
  if (bytes.length < 8)
    return Effect.fail(refuse(`it ends after ${bytes.length} bytes, inside the header's length`))
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  return length > BigInt(bytes.length - 8)
    ? Effect.fail(refuse(`the header should be ${length} bytes long, only ${bytes.length - 8} are there`))
    : Effect.succeed(Number(length))
}

const readArray = (
  name: string,
  { dtype, shape, data_offsets: [begin, end] }: Entry,
  data: Uint8Array
): Effect.Effect<NamedArray, SafetensorsError> => {
  if (!Schema.is(DType)(dtype)) {
    return Effect.fail(refuse(`"${name}" has dtype ${dtype}; F32, I32 and U8 can be read`))
  }
  if (end > data.length || begin > end) {
    return Effect.fail(
      refuse(`"${name}" should lie at bytes ${begin} to ${end}, the data have ${data.length}`)
    )
  }
  if (sizeOf(shape) * bytesPer[dtype] !== end - begin) {
    return Effect.fail(
      refuse(
        `"${name}" of shape [${shape}] needs ${sizeOf(shape) * bytesPer[dtype]} bytes, it has ${end - begin}`
      )
    )
  }
  // A copy: the bytes may start anywhere, typed arrays only at multiples of their element size. Not by
  // `slice`, which copies nothing of a Buffer.
  const { buffer } = new Uint8Array(data.subarray(begin, end))
  const values =
    dtype === "F32"
      ? new Float32Array(buffer)
      : dtype === "I32"
        ? new Int32Array(buffer)
        : new Uint8Array(buffer)
  return Effect.succeed({ shape, values })
}

/** The format forbids gaps and overlaps: a byte belongs to exactly one array. */
const checkCoverage = (
  spans: ReadonlyArray<readonly [number, number]>,
  length: number
): Effect.Effect<void, SafetensorsError> => {
  let end = 0
  for (const [begin, next] of spans.toSorted((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (begin !== end) {
      const owners = begin > end ? "no array" : "two arrays"
      const between = `bytes ${Math.min(begin, end)} to ${Math.max(begin, end)} of the data`
      return Effect.fail(refuse(`${between} belong to ${owners}`))
    }
    end = next
  }
  return end === length ? Effect.void : Effect.fail(refuse(`${length - end} bytes follow the last array`))
}
