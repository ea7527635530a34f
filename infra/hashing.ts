/** `Hasher` on Node's own SHA-256. */
import { createHash } from "node:crypto"
import { Effect, Layer } from "effect"
import { type Digest, Hasher, type IncrementalHash } from "../lib/storage/Digest.ts"
import { hashBeside } from "./hashThread.ts"

const prefixed = (hex: string): Digest => `sha256:${hex}` as Digest

/** SHA-256 of bytes or of a text's UTF-8 bytes. */
export const digestOf = (content: Uint8Array | string): Digest =>
  prefixed(createHash("sha256").update(content).digest("hex"))

/** As many bytes take longer to hash than a thread to start. */
const besideBytesMin = 64 * 2 ** 20

const hashHere = (): IncrementalHash => {
  const hash = createHash("sha256")
  return {
    update: (bytes) =>
      Effect.sync(() => {
        hash.update(bytes)
      }),
    digest: Effect.sync(() => prefixed(hash.digest("hex")))
  }
}

const hashElsewhere = (): IncrementalHash | undefined => {
  const hash = hashBeside()
  return (
    hash && {
      update: (bytes) => Effect.promise(() => hash.update(bytes)),
      digest: Effect.map(
        Effect.promise(() => hash.digest()),
        prefixed
      )
    }
  )
}

/** For about so many bytes. */
export const incrementalHash = (sizeBytes: number): IncrementalHash =>
  (sizeBytes < besideBytesMin ? undefined : hashElsewhere()) ?? hashHere()

export const hasherLayer: Layer.Layer<Hasher> = Layer.succeed(Hasher, {
  digest: digestOf,
  incremental: incrementalHash
})
