/** An `ObjectStore` whose traffic is counted: objects and bytes, however many requests that took. */
import { Effect, Layer, Stream } from "effect"
import { ObjectStore } from "../../lib/storage/ObjectStore.ts"
import type { TrafficMeter } from "./TrafficMeter.ts"

const make = (store: ObjectStore["Service"], meter: TrafficMeter): ObjectStore["Service"] => {
  const written = ({ sizeBytes }: { readonly sizeBytes: number }) =>
    Effect.sync(() => meter.add({ objectsWritten: 1, bytesWritten: sizeBytes }))
  const lookedUp = (count: number) => Effect.sync(() => meter.add({ objectsLookedUp: count }))
  return {
    ...store,
    get: (key, sizeBytesMax) =>
      Effect.tap(store.get(key, sizeBytesMax), ({ length }) =>
        Effect.sync(() => meter.add({ objectsRead: 1, bytesRead: length }))
      ),
    getStream: (key) =>
      Effect.map(store.getStream(key), (source) => ({
        ...source,
        chunks: Stream.tap(source.chunks, ({ length }) =>
          Effect.sync(() => meter.add({ bytesRead: length }))
        ).pipe(Stream.onEnd(Effect.sync(() => meter.add({ objectsRead: 1 }))))
      })),
    head: (key) => Effect.andThen(lookedUp(1), store.head(key)),
    stamps: (keys) => Effect.andThen(lookedUp(keys.length), store.stamps(keys)),
    put: (...args) => Effect.tap(store.put(...args), written),
    putStream: (key, source) => Effect.tap(store.putStream(key, source), written),
    list: (prefix) =>
      Stream.suspend(() => {
        meter.add({ listings: 1 })
        return store.list(prefix)
      })
  }
}

/** The store below, counted by `meter`. */
export const meteredObjectStoreLayer = (meter: TrafficMeter): Layer.Layer<ObjectStore, never, ObjectStore> =>
  Layer.effect(
    ObjectStore,
    Effect.map(ObjectStore, (store) => make(store, meter))
  )
