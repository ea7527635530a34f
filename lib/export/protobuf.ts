/**
 * Messages in protobuf's wire format (protobuf.dev/programming-guides/encoding), as much of it as exports
 * write. Pieces are kept as they come and joined once, since weights are large.
 */
export class Message {
  readonly #pieces: Array<Uint8Array> = []
  #length = 0

  /** An integer, a boolean or a member of an enum; negative ones take ten bytes, as `int64` wants. */
  int(field: number, value: number): this {
    return this.#add(...tag(field, VARINT), ...varint(value))
  }

  float(field: number, value: number): this {
    return this.#add(...tag(field, FIXED32), ...new Uint8Array(Float32Array.of(value).buffer))
  }

  bytes(field: number, value: Uint8Array): this {
    this.#add(...tag(field, LENGTH), ...varint(value.length))
    return this.#append(value)
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value))
  }

  message(field: number, value: Message): this {
    this.#add(...tag(field, LENGTH), ...varint(value.#length))
    for (const piece of value.#pieces) this.#append(piece)
    return this
  }

  /** A repeated integer, packed. */
  ints(field: number, values: ReadonlyArray<number>): this {
    return this.bytes(field, Uint8Array.from(values.flatMap(varint)))
  }

  /** An entry of a `map<string, …>`. */
  entry(field: number, key: string, value: Message): this {
    return this.message(field, new Message().text(1, key).message(2, value))
  }

  finish(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(this.#length)
    let position = 0
    for (const piece of this.#pieces) {
      joined.set(piece, position)
      position += piece.length
    }
    return joined
  }

  #add(...bytes: ReadonlyArray<number>): this {
    return this.#append(Uint8Array.from(bytes))
  }

  #append(piece: Uint8Array): this {
    this.#pieces.push(piece)
    this.#length += piece.length
    return this
  }
}

const VARINT = 0
const LENGTH = 2
const FIXED32 = 5

const tag = (field: number, type: number): ReadonlyArray<number> => varint(field * 8 + type)

/** Seven bits a byte, the lowest first; the eighth says that more follow. */
const varint = (value: number): Array<number> => {
  const bytes: Array<number> = []
  let left = BigInt.asUintN(64, BigInt(value))
  while (left >= 0x80n) {
    bytes.push(Number(left & 0x7fn) | 0x80)
    left >>= 7n
  }
  return [...bytes, Number(left)]
}

/** The bytes of numbers as they lie in memory: little-endian on every machine that runs this. */
export const bytesOf = (values: Float32Array | Int32Array | BigInt64Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
