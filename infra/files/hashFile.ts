/** The SHA-256 of files, by as few calls and copies as it takes. */
import { createHash, hash } from "node:crypto"
import { closeSync, openSync, readSync } from "node:fs"
import { setImmediate as turn } from "node:timers/promises"
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

/** Bytes between two looks at what else there is to do: signals above all. */
const turnBytes = 64 * chunkBytes

/**
 * Of any size, read into one place that stays in the processor's cache: another thread that reads ahead costs
 * more than it spares. Rejects with the system's error.
 */
export const hashLargeFile = async (file: string): Promise<Digest> => {
  const descriptor = openSync(file, "r")
  try {
    const sum = createHash("sha256")
    for (let total = 0; ; ) {
      const read = readSync(descriptor, chunk, 0, chunkBytes, null)
      if (read === 0) return `sha256:${sum.digest("hex")}` as Digest
      sum.update(read === chunkBytes ? chunk : chunk.subarray(0, read))
      total += read
      if (total % turnBytes < read) await turn()
    }
  } finally {
    closeSync(descriptor)
  }
}
