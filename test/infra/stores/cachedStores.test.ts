/** What stands before a store on a real server: copies on this machine, and a meter. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { cachedBlobStoreLayer } from "../../../infra/stores/cachedBlobStore.ts"
import { meteredObjectStoreLayer } from "../../../infra/stores/meteredObjectStore.ts"
import { s3ObjectStoreLayer } from "../../../infra/stores/S3ObjectStore.ts"
import { TrafficMeter } from "../../../infra/stores/TrafficMeter.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { blobStoreSuite } from "../../suites/blobStore.ts"
import { counted } from "../../suites/byteSources.ts"
import { objectStoreSuite } from "../../suites/objectStore.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { skipNote, startVersitygw, versitygwMissing } from "../../support/versitygw.ts"

const metered = (meter = new TrafficMeter()) =>
  Layer.provide(meteredObjectStoreLayer(meter), memoryObjectStoreLayer).pipe(Layer.provide(hasherLayer))

objectStoreSuite("a meter before memory", Layer.unwrap(Effect.sync(() => metered())))

it.effect("a meter counts objects and bytes, both ways", () => {
  const meter = new TrafficMeter()
  return Effect.gen(function* () {
    const store = yield* ObjectStore
    yield* store.put("a", new Uint8Array(10))
    yield* store.putStream("b", counted(3, 5))
    yield* store.get("a")
    yield* store.head("a")
    yield* Effect.flip(store.head("c"))
    yield* store.stamps(["a", "b", "c"])
    yield* Stream.runDrain(store.list(""))
    const expected = {
      objectsRead: 1,
      bytesRead: 10,
      objectsWritten: 2,
      bytesWritten: 25,
      objectsLookedUp: 5,
      listings: 1,
      cacheHits: 0,
      cacheBytes: 0
    }
    assert.deepStrictEqual(meter.take(), expected)
    meter.cacheHit(7)
    meter.add({ bytesRead: 1 })
    assert.deepInclude(meter.take(), { bytesRead: 1, cacheHits: 1, cacheBytes: 7, objectsRead: 0 })
  }).pipe(Effect.provide(metered(meter)))
})

const server = versitygwMissing ? undefined : await startVersitygw()
let numPrefixes = 0

describe.skipIf(server === undefined)(`before versitygw${skipNote}`, () => {
  const layer = Layer.unwrap(
    Effect.sync(() => {
      Object.assign(process.env, server!.environment)
      const place = { kind: "s3" as const, bucket: server!.bucket, prefix: `cached/${numPrefixes++}` }
      return cachedBlobStoreLayer({ folder: temporaryFolder(), sizeBytesMax: 1e9 }).pipe(
        Layer.provide(blobStoreLayer),
        Layer.provideMerge(meteredObjectStoreLayer(new TrafficMeter())),
        Layer.provide(s3ObjectStoreLayer({ place, checked: true })),
        Layer.provide(hasherLayer)
      )
    })
  )
  objectStoreSuite("cached and metered", layer)
  blobStoreSuite("cached and metered", layer)
})
