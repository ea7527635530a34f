/**
 * A `BlobStore` with a `BlobCache` in front: what was read or stored on this machine is not fetched again.
 *
 * Blobs alone, because nothing else stands for ever under its name. What is stored goes to the store first,
 * so nobody can name a blob that only this machine has; whether a blob is there is asked of the store.
 */
import { Effect, Layer, Stream } from "effect"
import { type BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
import type { ByteSource } from "../../lib/storage/ByteSource.ts"
import { blobKey } from "../../lib/storage/blobs.ts"
import { StoreUnavailable } from "../../lib/storage/ObjectStore.ts"
import type { Content } from "./atomicFiles.ts"
import { BlobCache, type BlobCacheOptions } from "./BlobCache.ts"
import { throwing, throwingChunks } from "./sourceFailures.ts"
import type { TrafficMeter } from "./TrafficMeter.ts"

const contentOf = <E>({ chunks, file }: ByteSource<E>): Content =>
  file === undefined
    ? throwingChunks(chunks)
    : { copyOf: file.path, copied: () => Effect.runPromise(throwing(file.unchanged)) }

/** It was removed since it was looked at. */
const unreadable = (ref: BlobRef) => (error: unknown) =>
  new StoreUnavailable({
    operation: "read",
    key: blobKey(ref.blob),
    reason: `its copy on this machine is gone: ${String((error as Error).message ?? error)}`
  })

const make = (
  store: BlobStore["Service"],
  cache: BlobCache,
  meter: TrafficMeter | undefined
): BlobStore["Service"] => {
  const keep = (ref: BlobRef, content: Content) =>
    Effect.uninterruptible(Effect.promise(() => cache.keep(ref, content)))
  const keptChunks = (ref: BlobRef) =>
    Effect.map(
      Effect.promise(() => cache.chunks(ref)),
      (chunks) => chunks && Stream.suspend(() => Stream.fromAsyncIterable(chunks(), unreadable(ref)))
    )
  const chunksOf = Effect.fn("cachedBlobStore.getStream")(function* (ref: BlobRef) {
    const kept = yield* keptChunks(ref)
    if (kept !== undefined) {
      meter?.cacheHit(ref.sizeBytes)
      return kept
    }
    // What fails here fails again below, and is told there.
    yield* keep(ref, throwingChunks(store.getStream(ref).chunks))
    return (yield* keptChunks(ref)) ?? store.getStream(ref).chunks
  })
  return {
    has: store.has,
    getStream: (ref) => ({ sizeBytes: ref.sizeBytes, chunks: Stream.unwrap(chunksOf(ref)) }),
    get: Effect.fn("cachedBlobStore.get")(function* (ref) {
      const kept = yield* Effect.promise(() => cache.read(ref))
      if (kept !== undefined) {
        meter?.cacheHit(kept.length)
        return kept
      }
      const bytes = yield* store.get(ref)
      yield* keep(ref, bytes)
      return bytes
    }),
    put: (bytes) => Effect.tap(store.put(bytes), (ref) => keep(ref, bytes)),
    putStream: (ref, source) => Effect.tap(store.putStream(ref, source), () => keep(ref, contentOf(source)))
  }
}

export interface CachedBlobsOptions extends BlobCacheOptions {
  /** Told of what is read from the cache. */
  readonly meter?: TrafficMeter | undefined
}

export const cachedBlobStoreLayer = (options: CachedBlobsOptions): Layer.Layer<BlobStore, never, BlobStore> =>
  Layer.effect(
    BlobStore,
    Effect.map(BlobStore, (store) => make(store, new BlobCache(options), options.meter))
  )
