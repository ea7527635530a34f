/**
 * The values of a PNG as they stand in the file (W3C "Portable Network Graphics", third edition): sharp gives
 * colours, which do not say which index they came from. Palette and grey, 1 to 8 bits, not interlaced.
 */
import { promisify } from "node:util"
import { crc32, inflate as nodeInflate } from "node:zlib"
import { Result } from "effect"
import { type IndexImage, imagePixelsMax } from "../../lib/data/ImageCodec.ts"

const inflate = promisify(nodeInflate)

/** Why an image of this size is not decoded; `undefined` where it is. */
export const tooManyPixels = (height: number, width: number): string | undefined => {
  const pixels = height * width
  if (pixels <= imagePixelsMax) return undefined
  const megapixels = (value: number) => `${Number((value / 1e6).toFixed(1))} megapixels`
  return (
    `it has ${width} × ${height} pixels (${megapixels(pixels)}), at most ${megapixels(imagePixelsMax)} are ` +
    "read: shrink it or cut it into pieces"
  )
}

/** A failure is the reason alone: the codec knows the image's name. */
type Read<A> = Result.Result<A, string>

interface Header {
  readonly height: number
  readonly width: number
  /** Bits of one value. */
  readonly depth: number
  readonly colourType: number
}

interface Chunk {
  readonly type: string
  readonly data: Uint8Array
  /** Behind the chunk. */
  readonly end: number
}

const signatureBytes = 8
/** Length, type and CRC around a chunk's data. */
const frameBytes = 12

/** A chunk is critical where the first letter of its type is a capital one (section 5.4). */
const isCritical = (type: string): boolean => /^[A-Z]/.test(type)

/** The chunk at `offset`; the CRC of one that matters is checked. */
const chunkAt = (bytes: Uint8Array, view: DataView, offset: number): Read<Chunk> => {
  const truncated = `it ends after ${bytes.length} bytes, inside a chunk or before its end: it is truncated`
  if (offset + frameBytes > bytes.length) return Result.fail(truncated)
  const length = view.getUint32(offset)
  const end = offset + frameBytes + length
  if (end > bytes.length) return Result.fail(truncated)
  const type = String.fromCharCode(...bytes.subarray(offset + 4, offset + 8))
  if (isCritical(type) && crc32(bytes.subarray(offset + 4, end - 4)) !== view.getUint32(end - 4)) {
    return Result.fail(`the checksum of its chunk ${type} is wrong: it is damaged`)
  }
  return Result.succeed({ type, data: bytes.subarray(offset + 8, end - 4), end })
}

const colourNames: Readonly<Record<number, string>> = {
  2: "RGB",
  4: "grey with transparency",
  6: "RGB with transparency"
}

const remedy = "save the class indices as PNG with a palette or as grey PNG of at most 8 bits, not interlaced"

/** IHDR (section 11.2.1), refused where its values are no indices or where there are too many. */
const headerOf = ({ data, type }: Chunk): Read<Header> => {
  if (type !== "IHDR" || data.length !== 13) return Result.fail("it does not begin with a header (IHDR)")
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const [width, height] = [view.getUint32(0), view.getUint32(4)]
  const [depth, colourType, compression, filter, interlace] = data.subarray(
    8
  ) as unknown as ReadonlyArray<number>
  if (width === 0 || height === 0) return Result.fail(`its header says ${width} × ${height} pixels`)
  if (colourType !== 0 && colourType !== 3) {
    const name = colourNames[colourType!] ?? `of the unknown colour type ${colourType}`
    return Result.fail(`it is ${name}, and colours are no indices: ${remedy}`)
  }
  if (depth === 16) return Result.fail(`its values have 16 bits: ${remedy}`)
  if (![1, 2, 4, 8].includes(depth!)) return Result.fail(`its header says ${depth} bits a value`)
  if (interlace === 1) return Result.fail(`it is interlaced: ${remedy}`)
  if (compression !== 0 || filter !== 0 || interlace !== 0) {
    return Result.fail("its header names a compression, filter or interlacing that PNG does not have")
  }
  const tooMany = tooManyPixels(height, width)
  return tooMany === undefined
    ? Result.succeed({ height, width, depth: depth!, colourType })
    : Result.fail(tooMany)
}

/** The header and the compressed data, all pieces together. */
const readChunks = (bytes: Uint8Array): Read<{ readonly header: Header; readonly data: Uint8Array }> =>
  Result.gen(function* () {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const first = yield* chunkAt(bytes, view, signatureBytes)
    const header = yield* headerOf(first)
    const pieces: Array<Uint8Array> = []
    let hasPalette = false
    let chunk = yield* chunkAt(bytes, view, first.end)
    while (chunk.type !== "IEND") {
      if (chunk.type === "IDAT") pieces.push(chunk.data)
      else if (chunk.type === "PLTE") hasPalette = true
      else if (isCritical(chunk.type)) return yield* Result.fail(`it has an unknown chunk ${chunk.type}`)
      chunk = yield* chunkAt(bytes, view, chunk.end)
    }
    if (pieces.length === 0) return yield* Result.fail("it holds no image data (IDAT)")
    if (header.colourType === 3 && !hasPalette) return yield* Result.fail("its palette (PLTE) is missing")
    return { header, data: Buffer.concat(pieces) }
  })

const paeth = (left: number, above: number, corner: number): number => {
  const estimate = left + above - corner
  const [toLeft, toAbove, toCorner] = [
    Math.abs(estimate - left),
    Math.abs(estimate - above),
    Math.abs(estimate - corner)
  ]
  if (toLeft <= toAbove && toLeft <= toCorner) return left
  return toAbove <= toCorner ? above : corner
}

/** What a filter adds to a byte (section 9.2), from the neighbours before it. */
const filters: ReadonlyArray<(left: number, above: number, corner: number) => number> = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  paeth
]

/** Undoes the filters in place; each row of `rows` is a filter's number and `rowBytes` filtered bytes. */
const unfilter = (rows: Uint8Array, height: number, rowBytes: number): Read<void> => {
  for (let y = 0; y < height; y++) {
    const start = y * (rowBytes + 1)
    const filter = filters[rows[start]!]
    if (filter === undefined) return Result.fail(`its row ${y} has the unknown filter ${rows[start]}`)
    if (rows[start] === 0) continue
    const above = y === 0 ? -1 : start - rowBytes - 1
    for (let i = 1; i <= rowBytes; i++) {
      const left = i === 1 ? 0 : rows[start + i - 1]!
      const up = above === -1 ? 0 : rows[above + i]!
      const corner = i === 1 || above === -1 ? 0 : rows[above + i - 1]!
      rows[start + i] = rows[start + i]! + filter(left, up, corner)
    }
  }
  return Result.succeed(undefined)
}

/** Values of `depth` bits, the leftmost in a byte's highest bits; the end of a row is padded to a byte. */
const unpack = (rows: Uint8Array, { depth, height, width }: Header, rowBytes: number): Uint8Array => {
  const indices = new Uint8Array(height * width)
  const perByte = 8 / depth
  const mask = 2 ** depth - 1
  for (let y = 0; y < height; y++) {
    const start = y * (rowBytes + 1) + 1
    if (depth === 8) indices.set(rows.subarray(start, start + width), y * width)
    else
      for (let x = 0; x < width; x++) {
        const shift = 8 - depth * ((x % perByte) + 1)
        indices[y * width + x] = (rows[start + Math.floor(x / perByte)]! >> shift) & mask
      }
  }
  return indices
}

/** Exactly `sizeBytes` decompressed: more is never produced, so that a small file cannot fill the memory. */
const inflated = (data: Uint8Array, sizeBytes: number): Promise<Read<Uint8Array>> =>
  inflate(data, { maxOutputLength: sizeBytes }).then(
    (rows) =>
      rows.length === sizeBytes
        ? Result.succeed(rows)
        : Result.fail(`its image data are ${rows.length} bytes, its header promises ${sizeBytes}`),
    (cause: NodeJS.ErrnoException) => {
      if (cause.code === "ERR_BUFFER_TOO_LARGE") {
        return Result.fail(`its image data are more than the ${sizeBytes} bytes that its header promises`)
      }
      const truncated = cause.code === "Z_BUF_ERROR"
      return Result.fail(`its image data are ${truncated ? "truncated" : `damaged: ${cause.message}`}`)
    }
  )

/**
 * Indices `[H, W]`, or why there are none. `bytes` begin with PNG's signature. An index may lie beyond the
 * palette: what it stands for is for the caller to say.
 */
export const decodePngIndices = async (bytes: Uint8Array): Promise<Read<IndexImage>> => {
  const chunks = readChunks(bytes)
  if (Result.isFailure(chunks)) return Result.fail(chunks.failure)
  const { data, header } = chunks.success
  const { depth, height, width } = header
  const rowBytes = Math.ceil((width * depth) / 8)
  const rows = await inflated(data, height * (rowBytes + 1))
  return Result.flatMap(rows, (filtered) =>
    Result.map(unfilter(filtered, height, rowBytes), () => ({
      indices: unpack(filtered, header, rowBytes),
      height,
      width
    }))
  )
}
