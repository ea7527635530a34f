/**
 * Names of content: SHA-256 of bytes, written `sha256:<64 hex digits>`.
 * The hash itself comes from `infra` (`Hasher`), so that this side runs anywhere.
 */
import { Context, type Effect, Schema } from "effect"

export const Digest = Schema.String.check(
  Schema.isPattern(/^sha256:[0-9a-f]{64}$/, { expected: "a digest like sha256:<64 hex digits>" })
).pipe(Schema.brand("Digest"))
export type Digest = typeof Digest.Type

/** The 64 hexadecimal digits of a digest, for use in object keys. */
export const hexOf = (digest: Digest): string => digest.slice("sha256:".length)

/** A hash that grows with the bytes it is given, one after another. */
export interface IncrementalHash {
  /** Ends when it is done with the bytes before these, which are used until the next call ends. */
  readonly update: (bytes: Uint8Array) => Effect.Effect<void>
  readonly digest: Effect.Effect<Digest>
}

/** SHA-256. */
export class Hasher extends Context.Service<
  Hasher,
  {
    readonly digest: (bytes: Uint8Array) => Digest
    /** For about so many bytes. */
    readonly incremental: (sizeBytes: number) => IncrementalHash
  }
>()("lib/storage/Hasher") {}
