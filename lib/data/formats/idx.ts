/**
 * IDX, the format of MNIST and Fashion-MNIST (Y. LeCun's page of MNIST, "FILE FORMATS FOR THE MNIST
 * DATABASE"): two zero bytes, type (8 = unsigned byte), number of dimensions, each dimension as a big-endian
 * uint32, then values.
 */
import { Result } from "effect"
import { FormatInvalid } from "../FormatInvalid.ts"

/** Greyscale images `[N, H, W]`, 0…255; `pixels` is a view of the file. */
export interface IdxImages {
  readonly count: number
  readonly height: number
  readonly width: number
  readonly pixels: Uint8Array
}

const refuse = (file: string, reason: string) =>
  Result.fail(new FormatInvalid({ file, format: "IDX", reason }))

/** Dimensions and values, the length checked to the byte: a header that lies by one is refused. */
const decode = (
  file: string,
  bytes: Uint8Array,
  numDimensions: number
): Result.Result<{ readonly dims: ReadonlyArray<number>; readonly values: Uint8Array }, FormatInvalid> => {
  const headerBytes = 4 + 4 * numDimensions
  if (bytes.length < headerBytes) {
    return refuse(file, `it has ${bytes.length} bytes, its header alone needs ${headerBytes}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const magic = view.getUint32(0)
  const expected = 0x0800 + numDimensions
  if (magic !== expected) {
    const hex = (value: number) => `0x${value.toString(16).padStart(8, "0")}`
    return refuse(file, `its magic number is ${hex(magic)}, expected ${hex(expected)}`)
  }
  const dims = Array.from({ length: numDimensions }, (_, axis) => view.getUint32(4 + 4 * axis))
  const promised = dims.reduce((product, dim) => product * dim, 1)
  const found = bytes.length - headerBytes
  if (promised !== found) {
    return refuse(file, `its header promises ${dims.join(" × ")} = ${promised} values, but ${found} follow`)
  }
  return Result.succeed({ dims, values: bytes.subarray(headerBytes) })
}

/**
 * Fails with `FormatInvalid` on a wrong magic number, a length that differs from the header's, or empty
 * images.
 */
export const decodeIdxImages = (file: string, bytes: Uint8Array): Result.Result<IdxImages, FormatInvalid> =>
  Result.flatMap(decode(file, bytes, 3), ({ dims, values }) => {
    const [count, height, width] = dims as [number, number, number]
    return height === 0 || width === 0
      ? refuse(file, `its images have ${height} × ${width} pixels`)
      : Result.succeed({ count, height, width, pixels: values })
  })

/**
 * Class indices `[N]`. Fails with `FormatInvalid` as images do, and on a label that is not below
 * `numClasses`.
 */
export const decodeIdxLabels = (
  file: string,
  bytes: Uint8Array,
  numClasses: number
): Result.Result<Uint8Array, FormatInvalid> =>
  Result.flatMap(decode(file, bytes, 1), ({ values }) => {
    const wrong = values.findIndex((label) => label >= numClasses)
    return wrong === -1
      ? Result.succeed(values)
      : refuse(file, `label ${wrong} is ${values[wrong]}, but there are ${numClasses} classes`)
  })
