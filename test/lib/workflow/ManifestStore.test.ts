import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { type StoreError, StoreUnavailable } from "../../../lib/storage/ObjectStore.ts"
import { blobsOf } from "../../../lib/workflow/Manifest.ts"
import { ManifestStore, manifestStoreLayer } from "../../../lib/workflow/ManifestStore.ts"
import { manifestStoreSuite } from "../../suites/manifestStore.ts"
import { manifestOf } from "../../support/manifests.ts"
import { testSigning } from "../../support/signing.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { memoryStorage } from "../../support/toyStages.ts"

manifestStoreSuite("memory", () => Layer.fresh(memoryStorage))
manifestStoreSuite("file", () =>
  blobStoreLayer.pipe(
    Layer.provideMerge(fileObjectStoreLayer(temporaryFolder())),
    Layer.provideMerge(hasherLayer)
  )
)

describe("a publisher that is deposed", () => {
  it.effect("writes nothing over its successor's result, however late it is deposed", () =>
    Effect.gen(function* () {
      const store = yield* ManifestStore
      yield* store.publish(yield* manifestOf(1), { replace: false })
      const [made, successor] = [yield* manifestOf(2), yield* manifestOf(3)]
      let numAsked = 0
      const confirm = Effect.suspend((): Effect.Effect<unknown, StoreError> => {
        numAsked++
        // Asked for the second time when what stands was looked at; only then another takes the slot.
        if (numAsked === 1) return Effect.void
        if (numAsked === 2) return Effect.orDie(store.publish(successor, { replace: true }))
        return new StoreUnavailable({ operation: "write", key: "k", reason: "deposed" })
      })
      const error = yield* Effect.flip(
        store.publish(made, { replace: true, confirm: Effect.asVoid(confirm) })
      )
      assert.include(error.message, "deposed")
      const found = yield* store.find(made.jobKey)
      assert.deepStrictEqual(found._tag === "Found" && found.manifest.output, successor.output)
    }).pipe(
      Effect.provide(manifestStoreLayer.pipe(Layer.provide(testSigning), Layer.provideMerge(memoryStorage)))
    )
  )
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
