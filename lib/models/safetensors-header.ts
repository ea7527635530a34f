/**
 * The header of a safetensors file, which is not to be trusted: where it says that arrays lie is checked
 * against the bytes that are there, before anything is read or allocated.
 */
import { Result } from "effect"
import { sizeOf } from "../nn/Weights.ts"
import { jsonValue } from "../storage/jsonValue.ts"
import { bytesPerElement, isStoredDtype, type StoredDtype } from "./StoredTensor.ts"

export interface SafetensorsEntry {
  readonly name: string
  readonly dtype: StoredDtype
  readonly shape: ReadonlyArray<number>
  /** The array's bytes, a view of the file. */
  readonly bytes: Uint8Array
}

export interface SafetensorsHeader {
  readonly entries: ReadonlyArray<SafetensorsEntry>
  readonly metadata: Readonly<Record<string, string>>
}

/** Some 30,000 arrays. The format allows 100 MB, which would take seconds and a gigabyte to look through. */
const headerBytesMax = 4 * 2 ** 20

/** PyTorch's own limit. */
const axesMax = 64

interface Span {
  readonly begin: number
  readonly end: number
}

/** What of the file is wrong, in words. */
type Reason = string

const refuse = (reason: string): Result.Result<never, Reason> => Result.fail(reason)

/** As much of a name as fits into a message. */
const shown = (name: string): string => (name.length > 80 ? `${name.slice(0, 80)}…` : name)

/**
 * Every array with its bytes. Fails where the header is cut off, larger than 4 MiB or not the JSON that the
 * format asks for, where a name stands twice, and where shape, dtype and place of an array are at odds with
 * each other, with another array or with the length of the file.
 */
export const readSafetensorsHeader = (bytes: Uint8Array): Result.Result<SafetensorsHeader, Reason> =>
  Result.gen(function* () {
    const headerLength = yield* readHeaderLength(bytes)
    const header = yield* parseHeader(bytes.subarray(8, 8 + headerLength))
    const { __metadata__: metadata = {}, ...described } = header
    if (!isStringRecord(metadata)) return yield* refuse("__metadata__ must hold strings only")
    const data = bytes.subarray(8 + headerLength)
    const entries: Array<SafetensorsEntry> = []
    const spans: Array<Span> = []
    for (const [name, value] of Object.entries(described)) {
      if (!isDescription(value)) {
        return yield* refuse(`the entry of "${shown(name)}" must have dtype, shape and data_offsets`)
      }
      const {
        data_offsets: [begin, end],
        dtype,
        shape
      } = value
      if (!isStoredDtype(dtype)) {
        return yield* refuse(`"${shown(name)}" has dtype ${shown(dtype)}, which is not read`)
      }
      yield* checkPlace({ name, dtype, shape, begin, end }, data.length)
      entries.push({ name, dtype, shape, bytes: data.subarray(begin, end) })
      spans.push({ begin, end })
    }
    yield* checkCoverage(spans, data.length)
    return { entries, metadata }
  })

const readHeaderLength = (bytes: Uint8Array): Result.Result<number, Reason> => {
  if (bytes.length < 8) return refuse(`it ends after ${bytes.length} bytes, inside the header's length`)
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  if (length > BigInt(bytes.length - 8)) {
    return refuse(`the header should be ${length} bytes long, only ${bytes.length - 8} are there`)
  }
  return length > BigInt(headerBytesMax)
    ? refuse(`the header is ${length} bytes long, more than the ${headerBytesMax} that are read`)
    : Result.succeed(Number(length))
}

const parseHeader = (bytes: Uint8Array): Result.Result<Readonly<Record<string, unknown>>, Reason> =>
  Result.gen(function* () {
    const text = yield* Result.try({
      try: () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes),
      catch: () => "the header is not UTF-8"
    })
    const header = yield* Result.try({
      try: () => jsonValue(text),
      catch: () => "the header is not a JSON object"
    })
    if (!text.startsWith("{") || !isRecord(header)) return yield* refuse("the header is not a JSON object")
    const twice = nameGivenTwice(text)
    return twice === undefined ? header : yield* refuse(`"${shown(twice)}" stands in the header twice`)
  })

/** The first key of the outermost object that is there twice, which `JSON.parse` does not tell. */
const nameGivenTwice = (json: string): string | undefined => {
  const names = new Set<string>()
  let depth = 0
  let [stringBegin, stringEnd] = [0, 0]
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === '"') {
      stringBegin = at
      at = endOfString(json, at)
      stringEnd = at + 1
    } else if (character === "{" || character === "[") depth += 1
    else if (character === "}" || character === "]") depth -= 1
    else if (character === ":" && depth === 1) {
      const name = JSON.parse(json.slice(stringBegin, stringEnd)) as string
      if (names.has(name)) return name
      names.add(name)
    }
  }
  return undefined
}

/** Where the quotation mark stands that ends the string which begins at `begin`. */
const endOfString = (json: string, begin: number): number => {
  let at = begin + 1
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1
  return at
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isStringRecord = (value: unknown): value is Readonly<Record<string, string>> =>
  isRecord(value) && Object.values(value).every((text) => typeof text === "string")

interface Description {
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly data_offsets: readonly [begin: number, end: number]
}

const isExtents = (value: unknown): value is ReadonlyArray<number> =>
  Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0)

const isDescription = (value: unknown): value is Description =>
  isRecord(value) &&
  typeof value.dtype === "string" &&
  isExtents(value.shape) &&
  value.shape.length <= axesMax &&
  isExtents(value.data_offsets) &&
  value.data_offsets.length === 2

interface Place extends Span {
  readonly name: string
  readonly dtype: StoredDtype
  readonly shape: ReadonlyArray<number>
}

/** That a span lies in the data, and has the size that shape and dtype ask for. */
const checkPlace = (place: Place, length: number): Result.Result<void, Reason> => {
  const { begin, dtype, end, name, shape } = place
  if (end > length || begin > end) {
    return refuse(`"${shown(name)}" should lie at bytes ${begin} to ${end}, the data have ${length}`)
  }
  // Extents that overflow give a number that is no span's length, or Infinity.
  const needed = (shape.includes(0) ? 0 : sizeOf(shape)) * bytesPerElement[dtype]
  return needed === end - begin
    ? Result.succeed(undefined)
    : refuse(`"${shown(name)}" of shape [${shape}] needs ${needed} bytes, it has ${end - begin}`)
}

/** The format forbids gaps and overlaps: a byte belongs to exactly one array. */
const checkCoverage = (spans: ReadonlyArray<Span>, length: number): Result.Result<void, Reason> => {
  let reached = 0
  for (const { begin, end } of spans.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== reached) {
      const owners = begin > reached ? "no array" : "two arrays"
      return refuse(
        `bytes ${Math.min(begin, reached)} to ${Math.max(begin, reached)} of the data belong to ${owners}`
      )
    }
    reached = end
  }
  return reached === length
    ? Result.succeed(undefined)
    : refuse(`${length - reached} bytes follow the last array`)
}
