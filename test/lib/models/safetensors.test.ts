import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { decodeSafetensors, encodeSafetensors, type NamedArray } from "../../../lib/models/safetensors.ts"

/** Arrays of any dtype, in one or two dimensions, with awkward names. */
const Arrays = Schema.Record(
  Schema.String,
  Schema.Struct({
    dtype: Schema.Literals(["F32", "I32", "U8"]),
    rows: Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))
  })
)

const arrayOf = ({ dtype, rows }: (typeof Arrays.Type)[string]): NamedArray => {
  const values = rows.flat()
  const shape = [rows.length, 2]
  if (dtype === "F32") return { shape, values: Float32Array.from(values, (value) => value / 3) }
  return { shape, values: dtype === "I32" ? Int32Array.from(values) : Uint8Array.from(values) }
}

const arraysOf = (described: typeof Arrays.Type) =>
  Object.fromEntries(
    Object.entries(described)
      .filter(([name]) => name !== "__metadata__")
      .map(([name, array]) => [name, arrayOf(array)])
  )

/** A file with this header and these data, whatever they say. */
const fileOf = (header: string, data = 0, length?: number) => {
  const encoded = new TextEncoder().encode(header)
  const bytes = new Uint8Array(8 + encoded.length + data)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? encoded.length), true)
  bytes.set(encoded, 8)
  return bytes
}

describe("safetensors", () => {
  it.effect.prop("what is written is read", [Arrays], ([described]) =>
    Effect.gen(function* () {
      const arrays = arraysOf(described)
      const metadata = { note: "“quoted”\n" }
      const decoded = yield* decodeSafetensors(encodeSafetensors({ arrays, metadata }))
      assert.deepStrictEqual(decoded.metadata, metadata)
      assert.deepStrictEqual(Object.keys(decoded.arrays).sort(), Object.keys(arrays).sort())
      for (const name of Object.keys(arrays)) assert.deepStrictEqual(decoded.arrays[name], arrays[name])
    })
  )

  it("writes these very bytes", () => {
    const bytes = encodeSafetensors({
      arrays: { a: { shape: [2], values: Uint8Array.of(7, 8) } },
      metadata: {}
    })
    // Hand-written after the format's description: length 56 = 51 characters and 5 spaces.
    const header = '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
    const expected = new Uint8Array(8 + 56 + 2).fill(0x20)
    expected.set([56, 0, 0, 0, 0, 0, 0, 0])
    expected.set(new TextEncoder().encode(header), 8)
    expected.set([7, 8], 64)
    assert.deepStrictEqual(bytes, expected)
  })

  it.effect("reads from the middle of a larger buffer", () =>
    Effect.gen(function* () {
      const bytes = encodeSafetensors({
        arrays: { a: { shape: [1], values: Float32Array.of(1.5) } },
        metadata: {}
      })
      const larger = new Uint8Array(bytes.length + 3)
      larger.set(bytes, 3)
      const { arrays } = yield* decodeSafetensors(larger.subarray(3))
      assert.deepStrictEqual(arrays.a?.values, Float32Array.of(1.5))
    })
  )

  // A Buffer's `slice` is a view of the pool that it lies in, a Uint8Array's a copy.
  it.effect.prop("reads from a Node Buffer, wherever it lies", [Arrays], ([described]) =>
    Effect.gen(function* () {
      const arrays = arraysOf(described)
      const bytes = encodeSafetensors({ arrays, metadata: {} })
      for (const offset of [0, 1, 4]) {
        const buffer = Buffer.concat([new Uint8Array(offset), bytes]).subarray(offset)
        const decoded = yield* decodeSafetensors(buffer)
        for (const name of Object.keys(arrays)) assert.deepStrictEqual(decoded.arrays[name], arrays[name])
      }
    })
  )
})

/** `{"\xff":…`: a byte that begins no character. */
const notUtf8 = Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22, 0xff, 0x22)

const entry = (fields: string) => `{"a":{${fields}}}`

const broken = [
  ["a header longer than the file", fileOf("{}", 0, 1e9), /should be 1000000000 bytes/],
  [
    "a header length above 2^53",
    fileOf("{}", 0, Number.MAX_SAFE_INTEGER),
    /should be 9007199254740991 bytes/
  ],
  ["a header that is not JSON", fileOf("{,}"), /not a JSON object/],
  ["an entry without offsets", fileOf(entry('"dtype":"U8","shape":[1]'), 1), /"a" must have/],
  ["an unknown dtype", fileOf(entry('"dtype":"F64","shape":[1],"data_offsets":[0,8]'), 8), /dtype F64/],
  ["a negative extent", fileOf(entry('"dtype":"U8","shape":[-1],"data_offsets":[0,1]'), 1), /"a" must have/],
  ["data beyond the end", fileOf(entry('"dtype":"U8","shape":[9],"data_offsets":[0,9]'), 1), /bytes 0 to 9/],
  ["a shape that lies", fileOf(entry('"dtype":"F32","shape":[2],"data_offsets":[0,4]'), 4), /needs 8 bytes/],
  ["a gap before an array", fileOf(entry('"dtype":"U8","shape":[1],"data_offsets":[1,2]'), 2), /no array/],
  [
    "bytes after the last array",
    fileOf(entry('"dtype":"U8","shape":[1],"data_offsets":[0,1]'), 3),
    /2 bytes/
  ],
  [
    "overlapping arrays",
    fileOf(
      '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},' +
        '"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
      3
    ),
    /two arrays/
  ],
  ["metadata that are not strings", fileOf('{"__metadata__":{"a":1}}'), /strings only/],
  [
    "a name that stands twice",
    fileOf(
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],' +
        '"data_offsets":[0,1]}}',
      1
    ),
    /"a" stands in the header twice/
  ],
  ["a header that is not UTF-8", notUtf8, /not UTF-8/],
  [
    "a header with a byte order mark",
    fileOf(`\ufeff${entry('"dtype":"U8","shape":[0],"data_offsets":[0,0]')}`),
    /not a JSON object/
  ],
  ["a header of 100 MB", fileOf("{}", 1e8, 1e8), /100000000 bytes long, more than the 4194304/],
  [
    "a shape whose size overflows",
    fileOf(
      entry('"dtype":"F64","shape":[4294967296,4294967296,0.0,9007199254740991],"data_offsets":[0,8]'),
      8
    ),
    /needs 0 bytes, it has 8/
  ],
  [
    "a shape whose size is beyond all numbers",
    fileOf(entry(`"dtype":"U8","shape":[${Array(30).fill(2 ** 53 - 1)}],"data_offsets":[0,8]`), 8),
    /needs Infinity bytes/
  ],
  [
    "more axes than PyTorch has",
    fileOf(entry(`"dtype":"U8","shape":[${Array(65).fill(1)}],"data_offsets":[0,1]`), 1),
    /"a" must have/
  ]
] as const

describe("a broken safetensors file", () => {
  it.effect("is refused wherever it was cut off", () =>
    Effect.gen(function* () {
      const bytes = encodeSafetensors({
        arrays: { a: { shape: [2], values: Float32Array.of(1, 2) } },
        metadata: { k: "v" }
      })
      for (let length = 0; length < bytes.length; length++) {
        assert.isTrue(Result.isFailure(yield* Effect.result(decodeSafetensors(bytes.subarray(0, length)))))
      }
    })
  )

  for (const [what, bytes, message] of broken) {
    it.effect(`is refused: ${what}`, () =>
      Effect.map(Effect.result(decodeSafetensors(bytes)), (result) => {
        assert.isTrue(Result.isFailure(result))
        if (Result.isFailure(result)) assert.match(result.failure.message, message)
      })
    )
  }
})
