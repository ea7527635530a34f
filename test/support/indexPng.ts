/**
 * PNGs of indices written by hand (W3C "Portable Network Graphics", third edition): every depth, filter and
 * damage that a test wants.
 */
import { crc32, deflateSync } from "node:zlib"

export interface IndexPng {
  readonly height: number
  readonly width: number
  readonly depth: 1 | 2 | 4 | 8
  /** `[H, W]`, below 2 ** depth. */
  readonly indices: Uint8Array
  /** Colours `[K, 3]`; without them the image is grey. */
  readonly palette?: Uint8Array
  /** The filter of each row, 0 to 4, taken in turn (default 0). */
  readonly filters?: ReadonlyArray<number>
  /** Compressed bytes in a chunk of image data (default: all in one). */
  readonly pieceBytes?: number
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)

const uint32 = (value: number) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)

export const joinBytes = (...parts: ReadonlyArray<Uint8Array>): Uint8Array =>
  new Uint8Array(Buffer.concat(parts))

export const pngChunk = (type: string, data: Uint8Array): Uint8Array => {
  const named = joinBytes(Buffer.from(type, "latin1"), data)
  return joinBytes(uint32(data.length), named, uint32(crc32(named)))
}

/** The header's data (IHDR), valid or not. */
export const pngHeader = (
  height: number,
  width: number,
  depth: number,
  colourType: number,
  interlace = 0
): Uint8Array =>
  pngChunk(
    "IHDR",
    joinBytes(uint32(width), uint32(height), Uint8Array.of(depth, colourType, 0, 0, interlace))
  )

export const pngOf = (...chunks: ReadonlyArray<Uint8Array>): Uint8Array =>
  joinBytes(signature, ...chunks, pngChunk("IEND", new Uint8Array()))

const packedRow = ({ depth, indices, width }: IndexPng, y: number): Uint8Array => {
  const row = new Uint8Array(Math.ceil((width * depth) / 8))
  for (let x = 0; x < width; x++) {
    const bit = x * depth
    row[bit >> 3] = row[bit >> 3]! | (indices[y * width + x]! << (8 - depth - (bit & 7)))
  }
  return row
}

const predicted = (filter: number, left: number, above: number, corner: number): number => {
  if (filter < 3) return [0, left, above][filter]!
  if (filter === 3) return Math.floor((left + above) / 2)
  const estimate = left + above - corner
  const nearest = Math.min(...[left, above, corner].map((value) => Math.abs(estimate - value)))
  return [left, above, corner].find((value) => Math.abs(estimate - value) === nearest)!
}

/** Each row as its filter's number and its filtered bytes. */
const filteredRows = (image: IndexPng): Uint8Array => {
  const filters = image.filters ?? [0]
  let above: Uint8Array = new Uint8Array(Math.ceil((image.width * image.depth) / 8))
  const rows = Array.from({ length: image.height }, (_, y) => {
    const row = packedRow(image, y)
    const filter = filters[y % filters.length]!
    const filtered = row.map(
      (byte, i) => byte - predicted(filter, row[i - 1] ?? 0, above[i]!, above[i - 1] ?? 0)
    )
    above = row
    return joinBytes(Uint8Array.of(filter), filtered)
  })
  return joinBytes(...rows)
}

export const encodeIndexPng = (image: IndexPng): Uint8Array => {
  const { depth, height, palette, width } = image
  const data = deflateSync(filteredRows(image))
  const step = image.pieceBytes ?? data.length
  const pieces = Array.from({ length: Math.ceil(data.length / step) }, (_, index) =>
    pngChunk("IDAT", data.subarray(index * step, (index + 1) * step))
  )
  const colours = palette === undefined ? [] : [pngChunk("PLTE", palette)]
  return pngOf(pngHeader(height, width, depth, palette === undefined ? 0 : 3), ...colours, ...pieces)
}

/** An image of ones, one bit a pixel, however large: its rows are all the same. */
export const encodeOnes = (height: number, width: number): Uint8Array => {
  const row = new Uint8Array(1 + Math.ceil(width / 8)).fill(255).with(0, 0)
  const rows = joinBytes(...Array.from({ length: height }, () => row))
  return pngOf(pngHeader(height, width, 1, 0), pngChunk("IDAT", deflateSync(rows, { level: 1 })))
}
