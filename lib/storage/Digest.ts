/**
 * Names of content: SHA-256 of bytes, written `sha256:<64 hex digits>`.
 * The hash itself comes from `infra` (`Hasher`), so that this side runs anywhere.
 */
import { Context, Schema } from "effect"

export const Digest = Schema.String.check(
  Schema.isPattern(/^sha256:[0-9a-f]{64}$/, { expected: "a digest like sha256:<64 hex digits>" })
).pipe(Schema.brand("Digest"))
export type Digest = typeof Digest.Type

/** The 64 hexadecimal digits of a digest, for use in object keys. */
export const hexOf = (digest: Digest): string => digest.slice("sha256:".length)

/** A hash that grows with the bytes it is given. */
export interface IncrementalHash {
  readonly update: (bytes: Uint8Array) => void
  readonly digest: () => Digest
}

/** SHA-256, synchronous. */
export class Hasher extends Context.Service<
  Hasher,
  {
    readonly digest: (bytes: Uint8Array) => Digest
    readonly incremental: () => IncrementalHash
  }
>()("lib/storage/Hasher") {}
