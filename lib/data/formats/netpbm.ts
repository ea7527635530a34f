/**
 * Binary PGM (P5, grey) and PPM (P6, RGB) with 8 bits a value: lossless, and decoded by looking at a dozen
 * bytes.
 */
import { Result } from "effect"
import { FormatInvalid } from "../FormatInvalid.ts"
import type { RawImage } from "../ImageCodec.ts"

const encoder = new TextEncoder()

/** 8-bit PGM (1 channel) or PPM (3): lossless, a short header and the pixels as they are. */
export const encodeNetpbm = ({ pixels, height, width, channels }: RawImage): Uint8Array => {
  const header = encoder.encode(`P${channels === 1 ? 5 : 6}\n${width} ${height}\n255\n`)
  const bytes = new Uint8Array(header.length + pixels.length)
  bytes.set(header)
  bytes.set(pixels, header.length)
  return bytes
}

/** Whether bytes begin as PGM or PPM do. */
export const isNetpbm = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && (bytes[1] === 0x35 || bytes[1] === 0x36) && isSpace(bytes[2])

const isSpace = (byte: number | undefined): boolean =>
  byte !== undefined && (byte === 32 || (byte >= 9 && byte <= 13))

/**
 * Reads a decimal number behind spaces and `#` comments; the offset returned is that of the byte behind it.
 */
const numberFrom = (bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } => {
  let at = start
  while (isSpace(bytes[at]) || bytes[at] === 0x23) {
    if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 10) at++
    at++
  }
  let value = at < bytes.length ? 0 : Number.NaN
  const first = at
  while (bytes[at]! >= 48 && bytes[at]! <= 57) value = value * 10 + bytes[at++]! - 48
  return { value: at === first ? Number.NaN : value, end: at }
}

/** The pixels are a view of `bytes`. Fails with `FormatInvalid` on anything but exactly one 8-bit image. */
export const decodeNetpbm = (file: string, bytes: Uint8Array): Result.Result<RawImage, FormatInvalid> => {
  const refuse = (reason: string) => Result.fail(new FormatInvalid({ file, format: "PGM/PPM", reason }))
  if (!isNetpbm(bytes)) return refuse("it begins with neither P5 nor P6")
  const channels = bytes[1] === 0x35 ? 1 : 3
  const width = numberFrom(bytes, 2)
  const height = numberFrom(bytes, width.end)
  const maximum = numberFrom(bytes, height.end)
  if (!(width.value > 0 && height.value > 0)) return refuse("its header names no width and height")
  if (maximum.value !== 255) return refuse(`its maximum is ${maximum.value}, only 255 is read`)
  const start = maximum.end + 1
  const expected = width.value * height.value * channels
  if (bytes.length - start !== expected) {
    const found = Math.max(0, bytes.length - start)
    return refuse(`${width.value} × ${height.value} × ${channels} needs ${expected} bytes, ${found} follow`)
  }
  const pixels = bytes.subarray(start)
  return Result.succeed({ pixels, height: height.value, width: width.value, channels })
}
