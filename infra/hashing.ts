/** `Hasher` on Node's own SHA-256. */
import { createHash } from "node:crypto"
import { Layer } from "effect"
import { type Digest, Hasher } from "../lib/storage/Digest.ts"

const prefixed = (hex: string): Digest => `sha256:${hex}` as Digest

/** SHA-256 of bytes or of a text's UTF-8 bytes. */
export const digestOf = (content: Uint8Array | string): Digest =>
  prefixed(createHash("sha256").update(content).digest("hex"))

export const hasherLayer: Layer.Layer<Hasher> = Layer.succeed(Hasher, {
  digest: digestOf,
  incremental: () => {
    const hash = createHash("sha256")
    return {
      update: (bytes) => {
        hash.update(bytes)
      },
      digest: () => prefixed(hash.digest("hex"))
    }
  }
})
