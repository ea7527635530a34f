/**
 * CIFAR-10's binary batches (https://www.cs.toronto.edu/~kriz/cifar.html): for each image a byte that is its
 * class, then 32 × 32 red values, as many green and as many blue ones.
 */
import { Result } from "effect"
import { FormatInvalid } from "../FormatInvalid.ts"
import type { RawImage } from "../ImageCodec.ts"

const side = 32
const planeBytes = side * side
const recordBytes = 1 + 3 * planeBytes

export interface CifarBatch {
  readonly count: number
  readonly label: (index: number) => number
  readonly image: (index: number) => RawImage
}

/** Channels of an image last. */
const interleaved = (planes: Uint8Array): Uint8Array => {
  const pixels = new Uint8Array(3 * planeBytes)
  for (let at = 0; at < planeBytes; at++) {
    for (let channel = 0; channel < 3; channel++)
      pixels[3 * at + channel] = planes[channel * planeBytes + at]!
  }
  return pixels
}

/**
 * Fails with `FormatInvalid` where the length is not that of whole images, or a label not below `numClasses`.
 */
export const decodeCifarBatch = (
  file: string,
  bytes: Uint8Array,
  numClasses: number
): Result.Result<CifarBatch, FormatInvalid> => {
  const refuse = (reason: string) => Result.fail(new FormatInvalid({ file, format: "CIFAR batch", reason }))
  const count = bytes.length / recordBytes
  if (count === 0 || !Number.isInteger(count)) {
    return refuse(`it has ${bytes.length} bytes, no multiple of the ${recordBytes} that an image takes`)
  }
  const label = (index: number) => bytes[index * recordBytes]!
  for (let index = 0; index < count; index++) {
    if (label(index) >= numClasses) {
      return refuse(`label ${index} is ${label(index)}, but there are ${numClasses} classes`)
    }
  }
  return Result.succeed({
    count,
    label,
    image: (index) => {
      const start = index * recordBytes + 1
      const pixels = interleaved(bytes.subarray(start, start + 3 * planeBytes))
      return { pixels, height: side, width: side, channels: 3 }
    }
  })
}
