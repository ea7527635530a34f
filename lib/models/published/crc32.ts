/** The checksum of zip archives (ISO 3309), eight bytes at a time ("slicing by 8", Kounavis & Berry 2005). */

const polynomial = 0xedb88320

/** Table k holds the checksum of a byte with k zero bytes behind it. */
const makeTables = (): ReadonlyArray<Uint32Array> => {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? polynomial : 0)
    return rest
  })
  const tables = [first]
  for (let index = 1; index < 8; index++) {
    tables.push(tables[index - 1]!.map((rest) => (rest >>> 8) ^ first[rest & 0xff]!))
  }
  return tables
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = makeTables() as [
  ...[Uint32Array, Uint32Array, Uint32Array, Uint32Array],
  ...[Uint32Array, Uint32Array, Uint32Array, Uint32Array]
]

/** 0 to 2^32 - 1 */
export const crc32 = (bytes: Uint8Array): number => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let rest = 0xffffffff
  let at = 0
  for (; at + 8 <= bytes.length; at += 8) {
    const low = view.getUint32(at, true) ^ rest
    const high = view.getUint32(at + 4, true)
    rest =
      t7[low & 0xff]! ^
      t6[(low >>> 8) & 0xff]! ^
      t5[(low >>> 16) & 0xff]! ^
      t4[low >>> 24]! ^
      t3[high & 0xff]! ^
      t2[(high >>> 8) & 0xff]! ^
      t1[(high >>> 16) & 0xff]! ^
      t0[high >>> 24]!
  }
  for (; at < bytes.length; at++) rest = (rest >>> 8) ^ t0[(rest ^ bytes[at]!) & 0xff]!
  return (rest ^ 0xffffffff) >>> 0
}
