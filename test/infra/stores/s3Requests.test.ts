/** How many requests the results of a pipeline take on an S3 server: few, and hardly more for more jobs. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import type { Digest } from "../../../lib/storage/Digest.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { ManifestStore, manifestStoreLayer } from "../../../lib/workflow/ManifestStore.ts"
import { indexKey } from "../../../lib/workflow/ResultIndex.ts"
import { startCountingProxy } from "../../support/countingProxy.ts"
import { manifestOf } from "../../support/manifests.ts"
import { testSigning } from "../../support/signing.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const server = versitygwMissing ? undefined : await startVersitygw()
const proxy = server && (await startCountingProxy(server.url))
Object.assign(process.env, server?.environment, { AWS_ENDPOINT_URL: proxy?.url })

/** Each time as another machine sees the store. */
const machine = (prefix: string) =>
  Layer.fresh(manifestStoreLayer).pipe(
    Layer.provideMerge(testSigning),
    Layer.provideMerge(blobStoreLayer),
    Layer.provideMerge(
      s3ObjectStoreLayer({ place: { kind: "s3", bucket: server!.bucket, prefix }, checked: true })
    ),
    Layer.provideMerge(hasherLayer)
  )

const publish = (count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, nth) => nth),
    Effect.fnUntraced(function* (nth) {
      const blob = yield* (yield* BlobStore).put(new TextEncoder().encode(`result ${nth} of ${count}`))
      const manifest = yield* manifestOf(blob, { nth })
      yield* (yield* ManifestStore).publish(manifest, { replace: false })
      return manifest.jobKey
    })
  )

/** As planning does: all of them are hits, and the index is kept. */
const looked = Effect.fnUntraced(function* (keys: ReadonlyArray<Digest>) {
  const store = yield* ManifestStore
  const find = yield* store.survey("toy")
  for (const key of keys) assert.strictEqual((yield* find(key))._tag, "Found")
  yield* store.keep("toy", keys)
})

const counted = (prefix: string, keys: ReadonlyArray<Digest>) =>
  Effect.gen(function* () {
    proxy!.passed.length = 0
    yield* Effect.provide(looked(keys), machine(prefix))
    return proxy!.passed.length
  })

describe.skipIf(server === undefined)(`requests for results${skipNote}`, () => {
  it.effect("are a handful with the index, and one a job and a handful without it", () =>
    Effect.gen(function* () {
      const numbers: Array<{ readonly withIndex: number; readonly without: number }> = []
      const counts = [40, 160]
      for (const count of counts) {
        const prefix = `requests/${count}`
        const keys = yield* Effect.provide(publish(count), machine(prefix))
        const without = yield* counted(prefix, keys)
        const withIndex = yield* counted(prefix, keys)
        yield* Effect.provide(
          Effect.flatMap(ObjectStore, (store) => store.remove(indexKey(mainScope, "toy"))),
          machine(prefix)
        )
        assert.strictEqual(yield* counted(prefix, keys), without)
        numbers.push({ withIndex, without })
      }
      const [few, many] = numbers as [(typeof numbers)[0], (typeof numbers)[0]]
      assert.isAtMost(few.withIndex, 12)
      assert.strictEqual(many.withIndex, few.withIndex)
      // Without it each manifest is read; nothing is asked for each besides.
      assert.strictEqual(many.without - few.without, counts[1]! - counts[0]!)
      assert.isAtMost(few.without - counts[0]!, 60)
    })
  )
})
