/** Sweeping beside those who read and publish, in many interleavings: nothing that is needed is lost. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { hasherLayer } from "../../../infra/hashing.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { wholeOf } from "../../../lib/storage/ByteSource.ts"
import { blobKey, blobStoreLayer } from "../../../lib/storage/blobs.ts"
import type { Hasher } from "../../../lib/storage/Digest.ts"
import { OwnerLiveness } from "../../../lib/storage/Lease.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { trashKey } from "../../../lib/storage/trash.ts"
import type { Manifest } from "../../../lib/workflow/Manifest.ts"
import { ManifestStore, manifestStoreLayer } from "../../../lib/workflow/ManifestStore.ts"
import { restore } from "../../../lib/workflow/Sweep.ts"
import { testSigning } from "../../support/signing.ts"
import {
  adopter,
  collected,
  published,
  publisher,
  readable,
  reader,
  sweeper
} from "../../support/sweepUsers.ts"

const liveness = Layer.succeed(OwnerLiveness, {
  self: { host: "here", pid: 1, incarnation: "this" },
  isGone: () => Effect.succeed(false)
})

/** Park and Miller's: the same interleaving for the same seed. */
const chance = (seed: number) => {
  let state = seed + 1
  return (below: number): number => {
    state = (state * 48271) % 2147483647
    return state % below
  }
}

/** One engine's view of a store that others use, too: each operation comes after a wait of its own. */
const engineOn = (store: ObjectStore["Service"], below: (count: number) => number) => {
  const pause = Effect.suspend(() =>
    Effect.forEach(Array.from({ length: below(6) }), () => Effect.yieldNow, { discard: true })
  )
  const after = <A, E>(effect: Effect.Effect<A, E>) => Effect.andThen(pause, effect)
  const waiting: ObjectStore["Service"] = {
    ...store,
    get: (key) => after(store.get(key)),
    head: (key) => after(store.head(key)),
    stamps: (keys) => after(store.stamps(keys)),
    put: (...args) => after(store.put(...args)),
    remove: (key) => after(store.remove(key)),
    removeAll: (keys) => Effect.forEach(keys, (key) => after(store.remove(key)), { discard: true }),
    // There first, and gone from where it was a moment later, as on a server.
    moveAll: (moves) =>
      Effect.filter(moves, (move) =>
        Effect.gen(function* () {
          yield* pause
          const found = yield* Effect.option(store.head(move.from))
          if (found._tag === "None" || (move.version ?? found.value.version) !== found.value.version)
            return false
          yield* store.put(move.to, yield* store.get(move.from))
          yield* pause
          yield* store.remove(move.from)
          return true
        })
      ),
    list: (prefix) => Stream.unwrap(after(Effect.succeed(store.list(prefix))))
  }
  return manifestStoreLayer.pipe(
    Layer.provideMerge(blobStoreLayer),
    Layer.provideMerge(Layer.succeed(ObjectStore, waiting)),
    Layer.provideMerge(Layer.mergeAll(testSigning, hasherLayer, liveness))
  )
}

/** An old result that nothing names any more, in a store that also holds a later one. */
const oldWorld = Effect.gen(function* () {
  const store = yield* Effect.provide(
    ObjectStore,
    Layer.fresh(memoryObjectStoreLayer.pipe(Layer.provide(hasherLayer)))
  )
  const calm = engineOn(store, () => 0)
  const old = yield* Effect.provide(published("old", { of: "old" }), calm)
  const latest = yield* Effect.provide(published("latest", { of: "latest" }), calm)
  yield* TestClock.adjust("30 days")
  return { store, calm, old, latest }
})

type World = Effect.Success<typeof oldWorld>

const working = Effect.forEach(Array.from({ length: 100 }), () => Effect.yieldNow, { discard: true })

const numSeeds = 60

/** Ends with what the user made; it must be whole when all is over. */
const race = (
  user: (
    world: World
  ) => Effect.Effect<
    Manifest | undefined,
    unknown,
    BlobStore | ManifestStore | ObjectStore | OwnerLiveness | Hasher
  >,
  termMillis: number
) =>
  Effect.gen(function* () {
    let numSwept = 0
    for (let seed = 0; seed < numSeeds; seed++) {
      const world = yield* oldWorld
      const below = chance(seed)
      // Of two at once one is refused, or both are.
      const sweeping = Effect.provide(collected(termMillis), engineOn(world.store, below)).pipe(
        Effect.catchTag("SweepUnderWay", () => Effect.void)
      )
      const [made] = yield* Effect.all(
        [Effect.provide(user(world), engineOn(world.store, below)), sweeping, sweeping],
        { concurrency: "unbounded" }
      )
      yield* Effect.gen(function* () {
        const manifests = yield* ManifestStore
        // What was published last is the job's latest result.
        const wholeKeys = [(made ?? world.latest.manifest).jobKey]
        for (const key of wholeKeys)
          assert.strictEqual((yield* manifests.find(key))._tag, "Found", `seed ${seed}`)
        if (made) assert.strictEqual(yield* readable(world.old), "old", `seed ${seed}`)
        if ((yield* manifests.find(world.old.manifest.jobKey))._tag !== "Found") numSwept += 1
      }).pipe(Effect.provide(engineOn(world.store, () => 0)))
    }
    // Else nothing was raced.
    assert.isAbove(numSwept, 0)
  })

describe("a sweep", () => {
  for (const termMillis of [0, 86_400_000]) {
    it.effect(`takes nothing from a run that reads (trash: ${termMillis} ms)`, () =>
      race(({ old }) => reader(old, working), termMillis)
    )
    it.effect(`takes nothing from a publisher (trash: ${termMillis} ms)`, () =>
      race(({ old }) => publisher(old, { of: "another" }), termMillis)
    )
    it.effect(`takes nothing from who adopts (trash: ${termMillis} ms)`, () =>
      race(({ old }) => adopter(old, { of: "adopted" }), termMillis)
    )
  }

  it.effect("keeps what it took for its term, gives it back, and frees it then", () =>
    Effect.gen(function* () {
      const { calm, old, store } = yield* oldWorld
      yield* Effect.gen(function* () {
        const key = blobKey(old.ref.blob)
        const first = yield* collected(3 * 86_400_000)
        assert.deepInclude(first, { numRestored: 0, freedBytes: 0 })
        assert.strictEqual(first.removed.length, 2)
        assert.isAbove(first.trashBytes, 3)
        yield* store.head(trashKey(key))
        assert.strictEqual((yield* restore(sweeper())).numResults, 1)
        assert.strictEqual((yield* (yield* ManifestStore).find(old.manifest.jobKey))._tag, "Found")
        // What was put back is young.
        assert.lengthOf((yield* collected(0)).removed, 0)
        yield* TestClock.adjust("1 day")
        assert.lengthOf((yield* collected(3 * 86_400_000)).removed, 2)
        yield* TestClock.adjust("4 days")
        const last = yield* collected(3 * 86_400_000)
        assert.isAbove(last.freedBytes, 0)
        assert.strictEqual(last.trashBytes, 0)
        assert.strictEqual((yield* restore(sweeper())).numObjects, 0)
      }).pipe(Effect.provide(calm))
    })
  )

  it.effect("a blob that a result needs comes back from the trash by itself", () =>
    Effect.gen(function* () {
      const { calm, latest, store } = yield* oldWorld
      yield* Effect.gen(function* () {
        const key = blobKey(latest.ref.blob)
        for (const isThere of [
          Effect.map(readable(latest), (text) => text === "latest"),
          Effect.flatMap(BlobStore, (blobs) => blobs.has(latest.ref)),
          Effect.flatMap(BlobStore, (blobs) => wholeOf(blobs.getStream(latest.ref))).pipe(
            Effect.map(({ length }) => length === latest.ref.sizeBytes)
          ),
          Effect.map(collected(0), ({ numRestored }) => numRestored === 1)
        ]) {
          yield* store.moveAll([{ from: key, to: trashKey(key), sizeBytes: 6 }])
          assert.isTrue(yield* isThere)
          yield* store.head(key)
        }
      }).pipe(Effect.provide(calm))
    })
  )
})
