/** The kinds of image files that are read, told apart by their first bytes. */
import { isNetpbm } from "./netpbm.ts"

export type ImageKind = "jpeg" | "png" | "webp" | "netpbm"

const startsWith = (bytes: Uint8Array, prefix: ReadonlyArray<number>, offset = 0): boolean =>
  prefix.every((byte, index) => bytes[offset + index] === byte)

const riff = [0x52, 0x49, 0x46, 0x46]
const webp = [0x57, 0x45, 0x42, 0x50]
const png = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

export const imageKindOf = (bytes: Uint8Array): ImageKind | undefined => {
  if (startsWith(bytes, [0xff, 0xd8, 0xff])) return "jpeg"
  if (startsWith(bytes, png)) return "png"
  if (startsWith(bytes, riff) && startsWith(bytes, webp, 8)) return "webp"
  return isNetpbm(bytes) ? "netpbm" : undefined
}

/** Why bytes are not taken for an image: for people who look for the file that spoiled a run. */
export const notAnImage = (bytes: Uint8Array): string =>
  bytes.length === 0 ? "it is empty" : "it is neither JPEG, PNG, WebP, PGM nor PPM"
