/** The SHA-256 of files, by as few calls and copies as it takes. */
import { createHash, hash } from "node:crypto"
import { closeSync, openSync, readSync } from "node:fs"
import { open } from "node:fs/promises"
import type { Digest } from "../../lib/storage/Digest.ts"

/** The 64 hexadecimal digits of the digest of bytes. */
export const sha256 = (bytes: Uint8Array): string => hash("sha256", bytes, "hex")

/** Tried by hand: larger ones do not hash faster, and fall out of the processor's cache. */
const chunkBytes = 2 ** 20

/** A file that fits is read at one go, without the detour over another thread. */
export const smallFileBytesMax = chunkBytes - 1

const chunk = Buffer.allocUnsafe(chunkBytes)

/** `undefined` where it is larger than `smallFileBytesMax`. Throws the system's error. */
export const hashSmallFile = (file: string): Digest | undefined => {
  const descriptor = openSync(file, "r")
  try {
    let filled = 0
    for (;;) {
      const read = readSync(descriptor, chunk, filled, chunkBytes - filled, null)
      filled += read
      if (read === 0) return `sha256:${sha256(chunk.subarray(0, filled))}` as Digest
      if (filled === chunkBytes) return undefined
    }
  } finally {
    closeSync(descriptor)
  }
}

/** Of any size; the next piece is read while one is hashed. Rejects with the system's error. */
export const hashLargeFile = async (file: string): Promise<Digest> => {
  const handle = await open(file, "r")
  try {
    const sum = createHash("sha256")
    const [first, second] = [Buffer.allocUnsafe(chunkBytes), Buffer.allocUnsafe(chunkBytes)]
    let pending = handle.read(first, 0, chunkBytes, null)
    for (let turn = 0; ; turn++) {
      const { buffer, bytesRead } = await pending
      if (bytesRead === 0) return `sha256:${sum.digest("hex")}` as Digest
      pending = handle.read(turn % 2 === 0 ? second : first, 0, chunkBytes, null)
      sum.update(bytesRead === chunkBytes ? buffer : buffer.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
}
