import { assert, describe, it } from "@effect/vitest"
import { Layer } from "effect"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { blobsOf } from "../../../lib/workflow/Manifest.ts"
import { manifestStoreSuite } from "../../suites/manifestStore.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { memoryStorage } from "../../support/toyStages.ts"

manifestStoreSuite("memory", () => Layer.fresh(memoryStorage))
manifestStoreSuite("file", () =>
  blobStoreLayer.pipe(
    Layer.provideMerge(fileObjectStoreLayer(temporaryFolder())),
    Layer.provideMerge(hasherLayer)
  )
)

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
