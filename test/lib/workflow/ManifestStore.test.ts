import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { Hasher } from "../../../lib/storage/Digest.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { artifactDigest } from "../../../lib/workflow/Fingerprint.ts"
import { blobsOf, type Manifest } from "../../../lib/workflow/Manifest.ts"
import { ManifestStore, manifestKey, manifestStoreLayer } from "../../../lib/workflow/ManifestStore.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { memoryStorage } from "../../support/toyStages.ts"

const key = digestOf("job")

const manifestOf = Effect.fnUntraced(function* (value: number, jobKey = key) {
  const manifest: Manifest = {
    schemaVersion: 2,
    jobKey,
    pipeline: "toy",
    job: "total",
    stage: "total",
    params: {},
    inputs: {
      numbers: { _tag: "One", artifact: { digest: digestOf("numbers"), jobKey: digestOf("other") } }
    },
    code: { digest: digestOf("code"), declarations: {}, packages: {} },
    output: { type: "total", digest: artifactDigest(yield* Hasher, "total", { value }), value: { value } },
    provenance: {}
  }
  return manifest
})

const storages = [
  ["memory", () => memoryStorage],
  [
    "file",
    () =>
      blobStoreLayer.pipe(
        Layer.provideMerge(fileObjectStoreLayer(temporaryFolder())),
        Layer.provideMerge(hasherLayer)
      )
  ]
] as const

describe.each(storages)("publishing (%s)", (_, storage) => {
  it.layer(Layer.provideMerge(manifestStoreLayer, storage()))((it) => {
    it.effect("of twenty publishers of different results one wins and nineteen adopt its manifest", () =>
      Effect.gen(function* () {
        const store = yield* ManifestStore
        const published = yield* Effect.forEach(
          Array.from({ length: 20 }, (_, index) => index),
          (index) => Effect.flatMap(manifestOf(index), (made) => store.publish(made, { replace: false })),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          published.filter((one) => one._tag === "Published"),
          1
        )
        assert.lengthOf(
          published.filter((one) => one._tag === "Adopted"),
          19
        )
        assert.strictEqual(new Set(published.map((one) => one.manifest.output.digest)).size, 1)
      })
    )

    it.effect("a broken manifest is replaced by one publisher, whom the others follow", () =>
      Effect.gen(function* () {
        const store = yield* ManifestStore
        yield* (yield* ObjectStore).put(manifestKey(key), new TextEncoder().encode("{"))
        assert.deepStrictEqual(yield* store.find(key), {
          _tag: "Broken",
          reason: "its manifest is unreadable"
        })
        const published = yield* Effect.forEach(
          [1, 2, 3, 4, 5],
          (index) => Effect.flatMap(manifestOf(index), (made) => store.publish(made, { replace: false })),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(
          published.filter((one) => one._tag === "Replaced"),
          1
        )
        assert.strictEqual(new Set(published.map((one) => one.manifest.output.digest)).size, 1)
      })
    )

    it.effect("a forced result replaces a healthy one", () =>
      Effect.gen(function* () {
        const store = yield* ManifestStore
        const made = yield* manifestOf(99)
        const published = yield* store.publish(made, { replace: true })
        assert.strictEqual(published._tag, "Replaced")
        assert.deepStrictEqual(yield* store.find(key), { _tag: "Found", manifest: made })
      })
    )

    it.effect("a manifest under another job's key does not count", () =>
      Effect.gen(function* () {
        const other = digestOf("another job")
        const objects = yield* ObjectStore
        yield* objects.put(manifestKey(other), yield* objects.get(manifestKey(key)))
        const found = yield* (yield* ManifestStore).find(other)
        assert.deepStrictEqual(found, { _tag: "Broken", reason: "its manifest belongs to another job" })
      })
    )

    it.effect("the last twenty keys of a job are remembered, latest first, each once", () =>
      Effect.gen(function* () {
        const store = yield* ManifestStore
        const keys = Array.from({ length: 23 }, (_, index) => digestOf(`job ${index}`))
        for (const one of [...keys, keys[22]!]) {
          yield* store.publish(yield* manifestOf(1, one), { replace: false })
        }
        const recent = yield* store.recent("toy", "total")
        assert.deepStrictEqual(
          recent.map((manifest) => manifest.jobKey),
          keys.slice(3).reverse()
        )
      })
    )
  })
})

describe("blobsOf", () => {
  it("finds every blob in a value, each once, at any depth", () => {
    const [a, b] = [digestOf("a"), digestOf("b")]
    const value = {
      first: { blob: a, sizeBytes: 1 },
      many: [{ deep: { blob: b, sizeBytes: 2 } }, { blob: a, sizeBytes: 1 }],
      not: { blob: "text", sizeBytes: 1 },
      none: null
    }
    assert.deepStrictEqual(blobsOf(value), [
      { blob: a, sizeBytes: 1 },
      { blob: b, sizeBytes: 2 }
    ])
  })
})
