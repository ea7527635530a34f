/** A store that lives as long as the object: what tests run on. */
import { type Context, Effect, Layer } from "effect"
import { type BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../lib/storage/blobs.ts"
import type { Hasher } from "../../lib/storage/Digest.ts"
import { memoryObjectStoreLayer } from "../../lib/storage/MemoryObjectStore.ts"
import type { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import { hasherLayer } from "../hashing.ts"

export type MemoryStorage = BlobStore | Hasher | ObjectStore

export interface MemoryStore {
  /** Stores bytes; the reference is what artifacts hold. */
  readonly put: (bytes: Uint8Array) => Promise<BlobRef>
  /** Rejects where the bytes were never stored. */
  readonly get: (ref: BlobRef) => Promise<Uint8Array>
  /** The same store, for code that asks for services. */
  readonly context: Context.Context<MemoryStorage>
}

const layer: Layer.Layer<MemoryStorage> = blobStoreLayer.pipe(
  Layer.provideMerge(memoryObjectStoreLayer),
  Layer.provideMerge(hasherLayer)
)

export const makeMemoryStore = (): MemoryStore => {
  // Of its own every time: layers are remembered only within one build.
  const context = Effect.runSync(Effect.scoped(Layer.build(layer)))
  const use = <A, E>(effect: Effect.Effect<A, E, BlobStore>) =>
    Effect.runPromise(Effect.provideContext(effect, context))
  return {
    put: (bytes) => use(Effect.flatMap(BlobStore, (blobs) => blobs.put(bytes))),
    get: (ref) => use(Effect.flatMap(BlobStore, (blobs) => blobs.get(ref))),
    context
  }
}
