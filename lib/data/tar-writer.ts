/** A writer of tar archives whose bytes depend on names and contents only; `tar.ts` reads them. */
import { blockBytes, checksumOf, type TarEntry } from "./tar.ts"

const encoder = new TextEncoder()

const paddedBytes = (sizeBytes: number): number => Math.ceil(sizeBytes / blockBytes) * blockBytes

/** Bytes that a member of this size adds to an archive (without the pax record of a long name). */
export const tarMemberBytes = (sizeBytes: number): number => blockBytes + paddedBytes(sizeBytes)

const writeHeader = (block: Uint8Array, name: string, type: string, sizeBytes: number): void => {
  const put = (offset: number, text: string) => void encoder.encodeInto(text, block.subarray(offset))
  encoder.encodeInto(name, block.subarray(0, 100))
  put(100, "0000644\0")
  put(108, "0000000\0")
  put(116, "0000000\0")
  put(124, `${sizeBytes.toString(8).padStart(11, "0")}\0`)
  put(136, "00000000000\0")
  put(148, "        ")
  put(156, type)
  put(257, "ustar\u000000")
  put(148, `${checksumOf(block).toString(8).padStart(6, "0")}\0 `)
}

/** `<length> path=<name>\n`, where the length counts its own digits. */
const paxPath = (name: string): Uint8Array => {
  const body = encoder.encode(` path=${name}\n`).length
  let length = body + 1
  while (String(length).length + body !== length) length = String(length).length + body
  return encoder.encode(`${length} path=${name}\n`)
}

const fits = (name: string): boolean => name.length <= 100 && !/[^\x20-\x7e]/.test(name)

/**
 * An archive of these files in this order: mode 0644, owner 0, time 0, so that equal files give equal bytes.
 */
export const writeTar = (entries: ReadonlyArray<TarEntry>): Uint8Array => {
  const parts = entries.flatMap(({ name, bytes }) => {
    const file = { name, type: "0", bytes }
    return fits(name)
      ? [file]
      : [
          { name: "pax", type: "x", bytes: paxPath(name) },
          { ...file, name: "long" }
        ]
  })
  const total = parts.reduce((sum, part) => sum + tarMemberBytes(part.bytes.length), 0)
  const archive = new Uint8Array(total + 2 * blockBytes)
  let offset = 0
  for (const { name, type, bytes } of parts) {
    writeHeader(archive.subarray(offset, offset + blockBytes), name, type, bytes.length)
    archive.set(bytes, offset + blockBytes)
    offset += tarMemberBytes(bytes.length)
  }
  return archive
}
