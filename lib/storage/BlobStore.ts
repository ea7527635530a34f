/**
 * Content-addressed bytes on an `ObjectStore`: a blob's name is its digest, it is written once and verified
 * on reading.
 */
import { Context, type Effect, Schema } from "effect"
import type { ByteSource } from "./ByteSource.ts"
import { Digest } from "./Digest.ts"
import type { StoreError } from "./ObjectStore.ts"

/** How an artifact points to bytes. The engine finds these in an artifact's JSON by the key `blob`. */
export const BlobRef = Schema.Struct({ blob: Digest, sizeBytes: Schema.Int })
export type BlobRef = typeof BlobRef.Type

export class BlobCorrupt extends Schema.TaggedError<BlobCorrupt>()("BlobCorrupt", {
  blob: Schema.String,
  found: Schema.String
}) {
  override get message() {
    return `Blob ${this.blob} holds other bytes (${this.found}): it was damaged. Rerun the job that made it.`
  }
}

export type BlobError = StoreError | BlobCorrupt

export class BlobStore extends Context.Service<
  BlobStore,
  {
    /** Stores bytes under their digest; does nothing where they are already. */
    readonly put: (bytes: Uint8Array) => Effect.Effect<BlobRef, StoreError>
    /**
     * Stores bytes that are too many to be held; the source says, and checks, what they are. Where they are
     * there already they are written again, which costs less than reading them to see whether they are sound.
     */
    readonly putStream: <E>(ref: BlobRef, source: ByteSource<E>) => Effect.Effect<void, StoreError | E>
    /** Reads and verifies. */
    readonly get: (ref: BlobRef) => Effect.Effect<Uint8Array, BlobError>
    /**
     * Reads and verifies what is too large to be held: the chunks end with `BlobCorrupt` where they were not
     * the blob's, so what was made of them counts only when they have all come.
     */
    readonly getStream: (ref: BlobRef) => ByteSource<BlobError>
    /** Whether the store holds an object of this size under the digest (the content is not read). */
    readonly has: (ref: BlobRef) => Effect.Effect<boolean, StoreError>
  }
>()("lib/storage/BlobStore") {}
