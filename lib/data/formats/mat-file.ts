/**
 * Arrays of structs from MATLAB's files of level 5 ("MAT-File Format", MathWorks): as much of the format as
 * ImageNet's list of synsets takes, which is numbers and texts as fields.
 */
import { Effect } from "effect"
import { decompressed } from "../decompressed.ts"
import { FormatInvalid } from "../FormatInvalid.ts"

export type MatValue = number | string | null
export type MatRow = Readonly<Record<string, MatValue>>

const headerBytes = 128
/** Far more than a list of names takes; a packed file may claim anything. */
const unpackedBytesMax = 2 ** 26
const decoder = new TextDecoder()

/** Types of data elements, and classes of arrays, by their numbers in the format. */
const types = { int8: 1, matrix: 14, compressed: 15 } as const
const classes = { struct: 2, text: 4, firstNumeric: 6, lastNumeric: 15 } as const

interface Element {
  readonly type: number
  readonly bytes: Uint8Array
}

class Malformed extends Error {}

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The data elements that lie side by side in `bytes`; small ones share their tag's eight bytes. */
function* elementsOf(bytes: Uint8Array): Generator<Element> {
  const view = viewOf(bytes)
  let at = 0
  while (at + 8 <= bytes.length) {
    const first = view.getUint32(at, true)
    const small = first >>> 16
    const size = small === 0 ? view.getUint32(at + 4, true) : small
    const start = small === 0 ? at + 8 : at + 4
    if (start + size > bytes.length || (small !== 0 && size > 4)) {
      throw new Malformed(`an element of ${size} bytes does not fit in`)
    }
    const type = first & 0xffff
    yield { type, bytes: bytes.subarray(start, start + size) }
    // Compressed elements alone are not padded to eight bytes.
    at = small !== 0 ? at + 8 : start + (type === types.compressed ? size : Math.ceil(size / 8) * 8)
  }
}

const readers: Readonly<Record<number, (view: DataView) => number>> = {
  1: (view) => view.getInt8(0),
  2: (view) => view.getUint8(0),
  3: (view) => view.getInt16(0, true),
  4: (view) => view.getUint16(0, true),
  5: (view) => view.getInt32(0, true),
  6: (view) => view.getUint32(0, true),
  7: (view) => view.getFloat32(0, true),
  9: (view) => view.getFloat64(0, true),
  12: (view) => Number(view.getBigInt64(0, true)),
  13: (view) => Number(view.getBigUint64(0, true))
}
/** Texts are UTF-16 (4, 17), or bytes. */
const textOf = ({ bytes, type }: Element): string =>
  type === 4 || type === 17 ? new TextDecoder("utf-16le").decode(bytes) : decoder.decode(bytes)

interface Matrix {
  readonly kind: number
  readonly count: number
  readonly name: string
  readonly rest: ReadonlyArray<Element>
}

/** What stands before an array's values: its class, how many values it has, its name. */
const matrixOf = (bytes: Uint8Array): Matrix => {
  const [flags, dimensions, name, ...rest] = elementsOf(bytes)
  if (flags === undefined || dimensions === undefined || name === undefined || flags.bytes.length < 4) {
    throw new Malformed("an array has no flags, dimensions and name")
  }
  const view = viewOf(dimensions.bytes)
  let count = 1
  for (let at = 0; at + 4 <= dimensions.bytes.length; at += 4) count *= view.getInt32(at, true)
  return { kind: flags.bytes[0]!, count, name: decoder.decode(name.bytes), rest }
}

/** A number or a text; `null` for anything else, and for what is empty. */
const scalarOf = ({ bytes, type }: Element): MatValue => {
  if (type !== types.matrix || bytes.length === 0) return null
  const { kind, rest } = matrixOf(bytes)
  const [values] = rest
  if (values === undefined || values.bytes.length === 0) return null
  if (kind === classes.text) return textOf(values)
  if (kind < classes.firstNumeric || kind > classes.lastNumeric) return null
  return readers[values.type]?.(viewOf(values.bytes)) ?? null
}

const rowsOf = ({ count, rest }: Matrix): ReadonlyArray<MatRow> => {
  const [nameLength, names, ...values] = rest
  if (nameLength === undefined || names?.type !== types.int8 || nameLength.bytes.length < 4) {
    throw new Malformed("an array of structs names no fields")
  }
  const length = viewOf(nameLength.bytes).getInt32(0, true)
  const numFields = length > 0 ? Math.floor(names.bytes.length / length) : 0
  if (numFields === 0 || values.length !== count * numFields) {
    throw new Malformed(`${count} structs of ${numFields} fields have ${values.length} values`)
  }
  const fields = Array.from({ length: numFields }, (_, field) =>
    decoder.decode(names.bytes.subarray(field * length, (field + 1) * length)).replace(/\0.*$/s, "")
  )
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(fields.map((field, at) => [field, scalarOf(values[row * numFields + at]!)]))
  )
}

/**
 * The rows of the array of structs called `name`; fields that are neither a number nor a text are `null`.
 * Fails with `FormatInvalid` where the file is none of level 5, is damaged or has no such array.
 */
export const readStructs = Effect.fn("readStructs")(function* (
  file: string,
  bytes: Uint8Array,
  name: string
) {
  const invalid = (reason: string) => new FormatInvalid({ file, format: "MAT-file of level 5", reason })
  const parsing = <A>(parse: () => A) =>
    Effect.try({
      try: parse,
      catch: (cause) => (cause instanceof Malformed ? invalid(cause.message) : invalid("it is damaged"))
    })
  if (bytes.length < headerBytes || bytes[126] !== 0x49 || bytes[127] !== 0x4d) {
    return yield* invalid("it does not begin with the header of one that is little-endian")
  }
  const stored = yield* parsing(() => [...elementsOf(bytes.subarray(headerBytes))])
  for (const element of stored) {
    const unpacked =
      element.type === types.compressed
        ? yield* Effect.flatMap(decompressed(file, element.bytes, "deflate", unpackedBytesMax), (inner) =>
            parsing(() => [...elementsOf(inner)])
          )
        : [element]
    for (const { bytes: inner, type } of unpacked) {
      if (type !== types.matrix) continue
      const matrix = yield* parsing(() => matrixOf(inner))
      if (matrix.name === name && matrix.kind === classes.struct) return yield* parsing(() => rowsOf(matrix))
    }
  }
  return yield* invalid(`it has no array of structs "${name}"`)
})
