/** Work begins with the first shard, and never waits for one that could have come meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { digestOf } from "../../../infra/hashing.ts"
import { testServicesLayer } from "../../../infra/layers.ts"
import { type MemoryStore, makeMemoryStore } from "../../../infra/testing/memoryStore.ts"
import { encodeNetpbm } from "../../../lib/data/formats/netpbm.ts"
import { ShardWriter } from "../../../lib/data/shards.ts"
import { type BlobRef, BlobStore } from "../../../lib/storage/BlobStore.ts"
import { ObjectNotFound, ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import type { JobRequest, JobSignal } from "../../../lib/workflow/Executor.ts"
import { readingAhead } from "../../../lib/workflow/readAhead.ts"
import { runBody } from "../../../lib/workflow/runBody.ts"
import { type AnyStage, canonicalParams } from "../../../lib/workflow/Stage.ts"
import { Preprocess } from "../../../stages/preprocess.ts"
import { testSeals } from "../../support/signing.ts"

const bytesOf = (ref: BlobRef): Uint8Array => new TextEncoder().encode(ref.blob)
const refs = (count: number, sizeBytes = 1000): ReadonlyArray<BlobRef> =>
  Array.from({ length: count }, (_, nth) => ({ blob: digestOf(`${nth} of ${count}`), sizeBytes }))

/** A store that answers when it is told to, and what it was asked for. */
const held = Effect.gen(function* () {
  const asked: Array<BlobRef> = []
  const interrupted: Array<BlobRef> = []
  const gates = new Map<string, Deferred.Deferred<Uint8Array, ObjectNotFound>>()
  const store = yield* Effect.provideContext(BlobStore, makeMemoryStore().context)
  const get = (ref: BlobRef) =>
    Effect.gen(function* () {
      asked.push(ref)
      const gate = yield* Deferred.make<Uint8Array, ObjectNotFound>()
      gates.set(ref.blob, gate)
      return yield* Deferred.await(gate)
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => void interrupted.push(ref))))
  const answer = (ref: BlobRef) => Deferred.succeed(gates.get(ref.blob)!, bytesOf(ref))
  const fail = (ref: BlobRef) => Deferred.fail(gates.get(ref.blob)!, new ObjectNotFound({ key: ref.blob }))
  return { asked, interrupted, answer, fail, store: { ...store, get } }
})

/** So that what was started has begun. */
const settle = Effect.forEach([1, 2, 3, 4, 5], () => Effect.yieldNow)

/** Reads a blob to its end, and lets begin what that brings. */
const readNow = Effect.fnUntraced(function* (
  blobs: Pick<BlobStore["Service"], "get">,
  answer: (ref: BlobRef) => Effect.Effect<unknown>,
  ref: BlobRef
) {
  const read = yield* Effect.forkChild(blobs.get(ref))
  yield* settle
  yield* answer(ref)
  yield* Fiber.join(read)
  yield* settle
})

describe("reading ahead", () => {
  it.effect("the next shards come while the first is used, as many as there is room for", () =>
    Effect.gen(function* () {
      const { answer, asked, store } = yield* held
      const shards = refs(5, 30 * 2 ** 20)
      const blobs = yield* readingAhead(store, { dataset: { train: { shards } } } as never)
      const first = yield* Effect.forkChild(blobs.get(shards[0]!))
      yield* settle
      assert.deepStrictEqual(asked, shards.slice(0, 1))
      yield* answer(shards[0]!)
      assert.deepStrictEqual(yield* Fiber.join(first), bytesOf(shards[0]!))
      yield* settle
      assert.deepStrictEqual(asked, shards.slice(0, 3))
      const second = yield* Effect.forkChild(blobs.get(shards[1]!))
      yield* answer(shards[1]!)
      assert.deepStrictEqual(yield* Fiber.join(second), bytesOf(shards[1]!))
      yield* settle
      assert.deepStrictEqual(asked, shards.slice(0, 4))
    }).pipe(Effect.scoped)
  )

  it.effect("what failed while nobody waited is asked for again, and its error told to who reads it", () =>
    Effect.gen(function* () {
      const { answer, asked, fail, store } = yield* held
      const shards = refs(2)
      const blobs = yield* readingAhead(store, { shards } as never)
      yield* readNow(blobs, answer, shards[0]!)
      yield* fail(shards[1]!)
      const second = yield* Effect.forkChild(Effect.flip(blobs.get(shards[1]!)))
      yield* settle
      assert.deepStrictEqual(asked, [...shards, shards[1]!])
      yield* fail(shards[1]!)
      assert.strictEqual((yield* Fiber.join(second))._tag, "ObjectNotFound")
    }).pipe(Effect.scoped)
  )

  it.effect("blobs that are in no list, or picked out of one, bring no others", () =>
    Effect.gen(function* () {
      const { answer, asked, store } = yield* held
      const [alone, ...list] = refs(6)
      const blobs = yield* readingAhead(store, { alone, list } as never)
      for (const ref of [alone!, list[3]!]) yield* readNow(blobs, answer, ref)
      assert.deepStrictEqual(asked, [alone, list[3]])
    }).pipe(Effect.scoped)
  )

  it.effect("what a body does not wait for any more is given up", () =>
    Effect.gen(function* () {
      const { answer, interrupted, store } = yield* held
      const shards = refs(3)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const blobs = yield* readingAhead(store, { shards } as never)
          yield* readNow(blobs, answer, shards[0]!)
        })
      )
      assert.sameMembers(interrupted, shards.slice(1))
    })
  )
})

const numShards = 6

/** Shards of one image each. */
const splitOf = async (store: MemoryStore, seed: number) => {
  const shards: Array<BlobRef> = []
  for (let nth = 0; nth < numShards; nth++) {
    const pixels = Uint8Array.from({ length: 64 }, (_, at) => (at * (nth + seed)) % 256)
    const writer = new ShardWriter()
    const bytes = encodeNetpbm({ pixels, height: 8, width: 8, channels: 1 })
    writer.add({ name: "x.pgm", label: nth % 2, bytes })
    shards.push(await store.put(writer.finish()!))
  }
  return { numExamples: numShards, shards }
}

/** The store elsewhere; `before` happens before a blob comes. */
const distant = (before: (ref: BlobRef) => Effect.Effect<unknown>) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const objects = yield* ObjectStore
      const blobs = yield* BlobStore
      const get: BlobStore["Service"]["get"] = (ref) => Effect.andThen(before(ref), blobs.get(ref))
      return Context.make(ObjectStore, { ...objects, isLocal: false }).pipe(
        Context.add(BlobStore, { ...blobs, get })
      )
    })
  )

it.live("a stage works on the first shard while the next are on their way and the last cannot come yet", () =>
  Effect.gen(function* () {
    const store = makeMemoryStore()
    const [train, test] = yield* Effect.promise(() => Promise.all([splitOf(store, 3), splitOf(store, 7)]))
    const dataset = {
      _tag: "ImageDataset",
      task: "classification",
      classes: ["a", "b"],
      splits: { train, test },
      quarantined: []
    }
    const asked: Array<number> = []
    const worked = yield* Deferred.make<ReadonlyArray<number>>()
    /** Work on the first shard must not wait for the last, which waits for it. */
    const before = ({ blob }: BlobRef) => {
      const nth = train.shards.findIndex((shard) => shard.blob === blob)
      asked.push(nth)
      return nth === numShards - 1 ? Deferred.await(worked) : Effect.void
    }
    const stage = Preprocess as unknown as AnyStage
    const request = {
      jobName: "prepared",
      jobKey: digestOf("prepared"),
      stage,
      params: canonicalParams("preprocess", stage.params, { height: 8, width: 8, channels: 1 }),
      externals: {},
      inputs: { dataset } as unknown as JobRequest["inputs"],
      foldOrigin: { base: digestOf("base"), scope: mainScope, runId: "test", fromScratch: false }
    }
    const onSignal = (signal: JobSignal) =>
      signal._tag === "Progress" && signal.progress.done === 1
        ? Deferred.succeed(worked, [...asked])
        : Effect.void
    yield* runBody(request, { onSignal, stopRequested: Effect.succeed(false) }).pipe(
      Effect.provide(testServicesLayer({ tensors: false })),
      Effect.provide(testSeals),
      Effect.provide(distant(before)),
      Effect.provideContext(store.context)
    )
    assert.includeMembers([...(yield* Deferred.await(worked))], [0, 1, 2])
  })
)
