/** Bytes that no server or client can make smaller, the same every time. */
import { createCipheriv } from "node:crypto"

export const pseudoRandomFill = (sizeBytes: number, seed: number): Buffer => {
  const key = Buffer.alloc(16)
  key.writeUInt32LE(seed)
  const bytes = Buffer.alloc(sizeBytes)
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(bytes)
}
