import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobKey, blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"

const layer = blobStoreLayer.pipe(Layer.provideMerge(memoryObjectStoreLayer), Layer.provideMerge(hasherLayer))
const abc = new TextEncoder().encode("abc")

it.layer(layer)("blobs", (it) => {
  it.effect("a blob is named by the SHA-256 of its bytes", () =>
    Effect.gen(function* () {
      const ref = yield* (yield* BlobStore).put(abc)
      // FIPS 180-2, appendix B.1
      assert.strictEqual(ref.blob, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
      assert.strictEqual(ref.sizeBytes, 3)
      const key = blobKey(ref.blob)
      assert.strictEqual(
        key,
        "blobs/sha256/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
      )
      assert.deepStrictEqual(yield* (yield* ObjectStore).get(key), abc)
    })
  )

  it.effect.prop("get returns what put stored", { content: Schema.Array(Schema.Int) }, ({ content }) =>
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      const bytes = Uint8Array.from(content)
      const ref = yield* blobs.put(bytes)
      assert.isTrue(yield* blobs.has(ref))
      assert.deepStrictEqual(yield* blobs.get(ref), bytes)
    })
  )

  it.effect("damage is found on reading, and mended by storing the bytes again", () =>
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      const ref = yield* blobs.put(abc)
      yield* (yield* ObjectStore).put(blobKey(ref.blob), new TextEncoder().encode("abd"))
      const error = yield* Effect.flip(blobs.get(ref))
      assert.strictEqual(error._tag, "BlobCorrupt")
      yield* blobs.put(abc)
      assert.deepStrictEqual(yield* blobs.get(ref), abc)
    })
  )

  it.effect("chunks of a blob end with an error where they were not its own", () =>
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      const ref = yield* blobs.put(abc)
      const { chunks, sizeBytes } = blobs.getStream(ref)
      assert.strictEqual(sizeBytes, 3)
      assert.deepStrictEqual(yield* Stream.mkUint8Array(chunks), abc)
      yield* (yield* ObjectStore).put(blobKey(ref.blob), new TextEncoder().encode("abd"))
      const error = yield* Effect.flip(Stream.runDrain(chunks))
      assert.strictEqual(error._tag, "BlobCorrupt")
      yield* (yield* ObjectStore).remove(blobKey(ref.blob))
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(chunks)))._tag, "ObjectNotFound")
    })
  )

  it.effect("a blob that is cut short is not there", () =>
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      const ref = yield* blobs.put(new TextEncoder().encode("long"))
      yield* (yield* ObjectStore).put(blobKey(ref.blob), new TextEncoder().encode("lo"))
      assert.isFalse(yield* blobs.has(ref))
    })
  )
})

it.effect("of a store elsewhere nothing is asked before a small blob is sent, but before a large one", () =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const asked: Array<string> = []
    const head: ObjectStore["Service"]["head"] = (key) => {
      asked.push(key)
      return store.head(key)
    }
    const remote = Layer.succeed(ObjectStore, { ...store, head, isLocal: false })
    const put = (bytes: Uint8Array) =>
      Effect.flatMap(BlobStore, (blobs) => blobs.put(bytes)).pipe(
        Effect.provide(Layer.provide(Layer.fresh(blobStoreLayer), remote))
      )
    const small = yield* put(new Uint8Array(1000))
    const large = yield* put(new Uint8Array(1_000_000))
    assert.deepStrictEqual(asked, [blobKey(large.blob)])
    yield* store.put(blobKey(small.blob), new Uint8Array(1000).fill(1))
    yield* put(new Uint8Array(1000))
    assert.deepStrictEqual(yield* store.get(blobKey(small.blob)), new Uint8Array(1000))
  }).pipe(Effect.provide(layer))
)
