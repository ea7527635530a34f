/** `BlobStore` on any `ObjectStore`: `blobs/sha256/ab/<the other 62 digits>`, verified on reading. */
import { Clock, Effect, Layer, Option, Stream } from "effect"
import { BlobCorrupt, type BlobError, type BlobRef, BlobStore } from "./BlobStore.ts"
import { type Digest, Hasher, hexOf } from "./Digest.ts"
import { ObjectStore, type StoreError } from "./ObjectStore.ts"
import { trashKey } from "./trash.ts"

/** The object that holds a blob. Two levels, so that no folder of a file store grows huge. */
export const blobKey = (digest: Digest): string => {
  const hex = hexOf(digest)
  return `blobs/sha256/${hex.slice(0, 2)}/${hex.slice(2)}`
}

/** A blob older than this is written again when it is put: what is swept goes by age. */
export const freshMillis = 30 * 60_000

/** Over a network a question costs as much as so many bytes. */
const smallBytesMax = 256 * 1024

/** It cannot be the blob, and is not read. */
const grown = ({ blob }: BlobRef, { sizeBytes }: { readonly sizeBytes: number }) =>
  Effect.fail(new BlobCorrupt({ blob, found: `${sizeBytes} bytes` }))

const make = (store: ObjectStore["Service"], hasher: Hasher["Service"]): BlobStore["Service"] => {
  /** Takes it back where it was swept but is needed after all. Who may not write sees it as gone. */
  const takeBack = ({ blob, sizeBytes }: BlobRef) => {
    const to = blobKey(blob)
    return Effect.ignore(store.moveAll([{ from: trashKey(to), to, sizeBytes }]))
  }
  const size = (ref: BlobRef) => Effect.map(store.stamps([blobKey(ref.blob)]), ([found]) => found?.sizeBytes)
  const has = Effect.fn("BlobStore.has")(function* (ref: BlobRef) {
    const found = yield* size(ref)
    if (found !== undefined) return found === ref.sizeBytes
    yield* takeBack(ref)
    return (yield* size(ref)) === ref.sizeBytes
  })
  const orTakenBack = <A>(ref: BlobRef, read: Effect.Effect<A, StoreError>) =>
    Effect.catchTag(read, "ObjectNotFound", () => Effect.andThen(takeBack(ref), read))
  const readVerified = Effect.fn("BlobStore.get")(function* (ref: BlobRef) {
    const read = orTakenBack(ref, store.get(blobKey(ref.blob), ref.sizeBytes))
    const bytes = yield* Effect.catchTag(read, "ObjectTooLarge", (error) => grown(ref, error))
    const found = hasher.digest(bytes)
    if (found !== ref.blob) return yield* new BlobCorrupt({ blob: ref.blob, found })
    return bytes
  })
  const verifiedChunks = (ref: BlobRef): Stream.Stream<Uint8Array, BlobError> =>
    Stream.unwrap(
      Effect.map(orTakenBack(ref, store.getStream(blobKey(ref.blob))), ({ chunks, sizeBytes }) => {
        if (sizeBytes > ref.sizeBytes) return Stream.fromEffect(grown(ref, { sizeBytes }))
        const hash = hasher.incremental(ref.sizeBytes)
        const verdict = Effect.flatMap(hash.digest, (found) =>
          found === ref.blob ? Effect.void : Effect.fail(new BlobCorrupt({ blob: ref.blob, found }))
        )
        return chunks.pipe(Stream.tap(hash.update), Stream.onEnd(verdict))
      })
    )
  /** Whether it is there whole, and young enough for nobody to sweep it before its job is published. */
  const isThere = Effect.fn("BlobStore.isThere")(function* (ref: BlobRef) {
    const found = yield* Effect.option(store.head(blobKey(ref.blob)))
    if (Option.isNone(found) || found.value.sizeBytes !== ref.sizeBytes) return false
    const ageMillis = (yield* Clock.currentTimeMillis) - found.value.modifiedAtMillis
    if (ageMillis >= freshMillis) return false
    const bytes = yield* Effect.option(store.get(blobKey(ref.blob), ref.sizeBytes))
    return Option.isSome(bytes) && hasher.digest(bytes.value) === ref.blob
  })
  return {
    has,
    put: Effect.fn("BlobStore.put")(function* (bytes) {
      const ref: BlobRef = { blob: hasher.digest(bytes), sizeBytes: bytes.length }
      // Sending it takes no longer than asking for it, and mends what may be damaged there.
      if (!store.isLocal && bytes.length <= smallBytesMax) {
        yield* store.put(blobKey(ref.blob), bytes)
        return ref
      }
      // What is there is read, not trusted: else a damaged blob could never be repaired by rerunning its job.
      // On a remote store that is one download in place of one upload, and only where a job ran once more.
      if (yield* isThere(ref)) return ref
      yield* store.put(blobKey(ref.blob), bytes)
      return ref
    }),
    putStream: (ref, source) => Effect.asVoid(store.putStream(blobKey(ref.blob), source)),
    getStream: (ref) => ({ sizeBytes: ref.sizeBytes, chunks: verifiedChunks(ref) }),
    // Bits also flip on the way here: what is wrong each time counts as damaged.
    get: (ref) =>
      Effect.retry(readVerified(ref), { times: 2, while: (error) => error._tag === "BlobCorrupt" })
  }
}

export const blobStoreLayer: Layer.Layer<BlobStore, never, ObjectStore | Hasher> = Layer.effect(
  BlobStore,
  Effect.gen(function* () {
    return make(yield* ObjectStore, yield* Hasher)
  })
)
