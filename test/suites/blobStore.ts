/** The contract of `BlobStore`: every implementation passes this suite unchanged. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, Schema, Stream } from "effect"
import { digestOf } from "../../infra/hashing.ts"
import { type BlobRef, BlobStore } from "../../lib/storage/BlobStore.ts"
import { blobKey } from "../../lib/storage/blobs.ts"
import { ObjectStore, type StoreError } from "../../lib/storage/ObjectStore.ts"
import { counted, countedBytes, failing } from "./byteSources.ts"

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

interface Stores {
  readonly blobs: BlobStore["Service"]
  readonly objects: ObjectStore["Service"]
}

/** Each test gets a store of its own; the `ObjectStore` is where its blobs lie for others. */
export const blobStoreSuite = (name: string, layer: Layer.Layer<BlobStore | ObjectStore, StoreError>) => {
  const test = <E>(title: string, body: (stores: Stores) => Effect.Effect<void, E>) =>
    it.effect(title, () =>
      Effect.gen(function* () {
        yield* body({ blobs: yield* BlobStore, objects: yield* ObjectStore })
      }).pipe(Effect.provide(layer))
    )

  describe(`BlobStore (${name})`, () => {
    it.effect.prop(
      "get returns what put stored, however often it is asked",
      { content: Schema.Array(Schema.Int) },
      ({ content }) =>
        Effect.gen(function* () {
          const blobs = yield* BlobStore
          const bytes = Uint8Array.from(content)
          const ref = yield* blobs.put(bytes)
          assert.deepStrictEqual(ref, { blob: digestOf(bytes), sizeBytes: bytes.length })
          assert.isTrue(yield* blobs.has(ref))
          for (let i = 0; i < 3; i++) assert.deepStrictEqual(yield* blobs.get(ref), bytes)
        }).pipe(Effect.provide(layer)),
      { arbitrary: { runs: 10 } }
    )

    test("what is put is in the store when put returns", ({ blobs, objects }) =>
      Effect.gen(function* () {
        const ref = yield* blobs.put(bytesOf("shared"))
        assert.deepStrictEqual(yield* objects.get(blobKey(ref.blob)), bytesOf("shared"))
      }))

    test("what the store holds is found, whoever put it there", ({ blobs, objects }) =>
      Effect.gen(function* () {
        const bytes = bytesOf("by another machine")
        const ref: BlobRef = { blob: digestOf(bytes), sizeBytes: bytes.length }
        assert.isFalse(yield* blobs.has(ref))
        assert.strictEqual((yield* Effect.flip(blobs.get(ref)))._tag, "ObjectNotFound")
        const none = yield* Effect.flip(Stream.runDrain(blobs.getStream(ref).chunks))
        assert.strictEqual(none._tag, "ObjectNotFound")
        yield* objects.put(blobKey(ref.blob), bytes)
        assert.isTrue(yield* blobs.has(ref))
        assert.deepStrictEqual(yield* blobs.get(ref), bytes)
      }))

    test("what the store does not hold any more is not there", ({ blobs, objects }) =>
      Effect.gen(function* () {
        const ref = yield* blobs.put(bytesOf("swept"))
        yield* objects.remove(blobKey(ref.blob))
        assert.isFalse(yield* blobs.has(ref))
        yield* blobs.put(bytesOf("swept"))
        assert.isTrue(yield* blobs.has(ref))
        assert.deepStrictEqual(yield* objects.get(blobKey(ref.blob)), bytesOf("swept"))
      }))

    test("damage in the store never comes out as bytes, and is mended by storing them again", (stores) =>
      Effect.gen(function* () {
        const { blobs, objects } = stores
        const bytes = bytesOf("abc")
        const ref: BlobRef = { blob: digestOf(bytes), sizeBytes: 3 }
        yield* objects.put(blobKey(ref.blob), bytesOf("abd"))
        for (let i = 0; i < 2; i++) {
          assert.strictEqual((yield* Effect.flip(blobs.get(ref)))._tag, "BlobCorrupt")
          const error = yield* Effect.flip(Stream.runDrain(blobs.getStream(ref).chunks))
          assert.strictEqual(error._tag, "BlobCorrupt")
        }
        yield* blobs.put(bytes)
        assert.deepStrictEqual(yield* blobs.get(ref), bytes)
        assert.deepStrictEqual(yield* objects.get(blobKey(ref.blob)), bytes)
      }))

    test("bytes that come in chunks are stored under the digest that was said", ({ blobs }) =>
      Effect.gen(function* () {
        const bytes = countedBytes(4, 100_000)
        const ref: BlobRef = { blob: digestOf(bytes), sizeBytes: bytes.length }
        yield* blobs.putStream(ref, counted(4, 100_000))
        assert.isTrue(Buffer.from(yield* blobs.get(ref)).equals(bytes))
        const { chunks, sizeBytes } = blobs.getStream(ref)
        assert.strictEqual(sizeBytes, bytes.length)
        for (let i = 0; i < 2; i++) {
          assert.isTrue(Buffer.from(yield* Stream.mkUint8Array(chunks)).equals(bytes))
        }
        const other: BlobRef = { blob: digestOf("other"), sizeBytes: 10 }
        const error = yield* Effect.flip(blobs.putStream(other, failing(counted(2, 5), "changed" as const)))
        assert.strictEqual(error, "changed")
        assert.isFalse(yield* blobs.has(other))
      }))

    test("what was read or put is not changed by what the caller does to its bytes", ({ blobs }) =>
      Effect.gen(function* () {
        const bytes = bytesOf("same")
        const ref = yield* blobs.put(bytes)
        bytes.fill(0)
        for (let i = 0; i < 2; i++) {
          const read = yield* blobs.get(ref)
          assert.deepStrictEqual(read, bytesOf("same"))
          read.fill(0)
        }
      }))
  })
}
