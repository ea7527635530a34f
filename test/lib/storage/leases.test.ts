/** Leases on stores without a server, and what no interleaving of owners may bring about. */

import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Random, Schema } from "effect"
import { TestClock } from "effect/testing"
import { digestOf, hasherLayer } from "../../../infra/hashing.ts"
import { fileObjectStoreLayer } from "../../../infra/stores/FileObjectStore.ts"
import { type Lease, LeaseRecord, Leases, leaseKey, OwnerLiveness } from "../../../lib/storage/Lease.ts"
import { leasesLayer } from "../../../lib/storage/leases.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { leaseSuite } from "../../suites/lease.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

const memory = Layer.provide(memoryObjectStoreLayer, hasherLayer)
const folder = temporaryFolder()
let numStores = 0

leaseSuite("memory", Layer.fresh(memory))
leaseSuite("file", Layer.unwrap(Effect.sync(() => fileObjectStoreLayer(join(folder, String(numStores++))))))

const leaseMillis = 1000
const process = (name: string): OwnerLiveness["Service"] => ({
  self: { host: "host", pid: 1, incarnation: name },
  isGone: () => Effect.succeed(false)
})
const key = digestOf("a job")
const pause = (millisMax: number) =>
  Effect.flatMap(Random.nextIntBetween(0, millisMax), (millis) => Effect.sleep(millis))

/** What was committed, in order, and between which commits an owner was told that the lease is its own. */
interface Journal {
  readonly commits: Array<LeaseRecord>
  readonly confirmed: Array<{ readonly epoch: number; readonly from: number; readonly to: number }>
}

/** Every request takes its time, before and after it takes effect. */
const slowStore = (store: ObjectStore["Service"], journal: Journal): ObjectStore["Service"] => {
  const slowly = <A, E>(request: Effect.Effect<A, E>) =>
    Effect.andThen(pause(60), Effect.tap(request, pause(60)))
  return {
    ...store,
    get: (path) => slowly(store.get(path)),
    head: (path) => slowly(store.head(path)),
    put: (path, bytes, condition) =>
      slowly(
        Effect.tap(store.put(path, bytes, condition), () =>
          Effect.sync(() => {
            const record = Schema.decodeSync(Schema.fromJsonString(LeaseRecord))(
              new TextDecoder().decode(bytes)
            )
            journal.commits.push(record)
          })
        )
      )
  }
}

const work = Effect.fnUntraced(function* (lease: Lease, journal: Journal) {
  for (;;) {
    // Longer than a lease now and then: an owner that was frozen.
    yield* pause((yield* Random.nextIntBetween(0, 4)) === 0 ? 3 * leaseMillis : leaseMillis / 3)
    const from = journal.commits.length - 1
    yield* (yield* Random.nextBoolean) ? lease.renew : lease.confirm
    journal.confirmed.push({ epoch: lease.epoch, from, to: journal.commits.length - 1 })
    const fate = yield* Random.nextIntBetween(0, 8)
    if (fate === 0) return yield* lease.release
    if (fate === 1) return
  }
})

const owner = Effect.fnUntraced(function* (name: string, journal: Journal) {
  const leases = yield* Leases
  for (;;) {
    const acquisition = yield* leases.acquire(key, name)
    if (acquisition._tag === "Acquired") yield* Effect.ignore(work(acquisition.lease, journal))
    else yield* pause(leases.lookMillisMax)
  }
})

const processOf = (name: string, journal: Journal) =>
  owner(name, journal).pipe(
    Effect.provide(leasesLayer({ leaseMillis, scope: mainScope })),
    Effect.provideService(OwnerLiveness, process(name))
  )

describe("keepAlive", () => {
  it.effect("renews in time, and ends with the loss", () =>
    Effect.gen(function* () {
      const leases = yield* Leases
      const acquisition = yield* leases.acquire(key, "run")
      assert.strictEqual(acquisition._tag, "Acquired")
      if (acquisition._tag === "Taken") return
      const beating = yield* Effect.forkChild(Effect.flip(acquisition.lease.keepAlive))
      for (let i = 0; i < 50; i++) {
        yield* TestClock.adjust(leases.lookMillisMax)
        assert.strictEqual((yield* leases.look(key))._tag, "Taken")
      }
      yield* (yield* ObjectStore).put(leaseKey(mainScope, key), new TextEncoder().encode("another's"))
      yield* TestClock.adjust(leaseMillis / 2)
      assert.strictEqual((yield* Fiber.join(beating))._tag, "LeaseLost")
    }).pipe(
      Effect.provide(leasesLayer({ leaseMillis, scope: mainScope })),
      Effect.provideService(OwnerLiveness, process("a")),
      Effect.provide(Layer.fresh(memory))
    )
  )
})

/** Requests wait while the store is away. */
const awayUntil = (store: ObjectStore["Service"], back: Effect.Effect<void>): ObjectStore["Service"] => ({
  ...store,
  head: (path) => Effect.andThen(back, store.head(path)),
  put: (path, bytes, condition) => Effect.andThen(back, store.put(path, bytes, condition))
})

describe("a store that was away for longer than a lease", () => {
  it.effect("leaves the owner its lease: nobody could see that it was silent", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      let back = Effect.void
      const awayStore = awayUntil(
        store,
        Effect.suspend(() => back)
      )
      const leasesOf = (name: string) =>
        Effect.provide(Leases, leasesLayer({ leaseMillis, scope: mainScope })).pipe(
          Effect.provideService(OwnerLiveness, process(name)),
          Effect.provideService(ObjectStore, awayStore)
        )
      const [a, b] = [yield* leasesOf("a"), yield* leasesOf("b")]
      const acquisition = yield* a.acquire(key, "run")
      if (acquisition._tag === "Taken") return assert.fail("nobody else is there")
      yield* b.look(key)
      back = Effect.sleep(3 * leaseMillis)
      const looking = yield* Effect.forkChild(b.look(key))
      yield* TestClock.adjust(3 * leaseMillis)
      back = Effect.void
      assert.strictEqual((yield* Fiber.join(looking))._tag, "Taken")
      yield* TestClock.adjust(b.lookMillisMax)
      assert.strictEqual((yield* b.acquire(key, "run-b"))._tag, "Taken")
      yield* acquisition.lease.confirm
    }).pipe(Effect.provide(Layer.fresh(memory)))
  )
})

describe("three owners that come, freeze, die and go", () => {
  it.effect.prop(
    "never hold the lease two at a time, and none writes once it is deposed",
    { seed: Schema.Int },
    ({ seed }) =>
      Effect.gen(function* () {
        const journal: Journal = { commits: [], confirmed: [] }
        const store = slowStore(yield* ObjectStore, journal)
        const fibers = yield* Effect.forEach(["a", "b", "c"], (name) =>
          Effect.forkChild(Effect.provideService(processOf(name, journal), ObjectStore, store))
        )
        yield* TestClock.adjust(40 * leaseMillis)
        yield* Fiber.interruptAll(fibers)
        const { commits, confirmed } = journal
        assert.isAbove(new Set(commits.map((record) => record.owner.runId)).size, 1)
        assert.isAbove(commits.at(-1)!.epoch, 5)
        commits.slice(1).forEach((record, index) => {
          const before = commits[index]!
          assert.include([before.epoch, before.epoch + 1], record.epoch)
          assert.strictEqual(record.epoch === before.epoch, record.nonce === before.nonce)
        })
        for (const { epoch, from, to } of confirmed) {
          const meanwhile = commits.slice(from, to + 1).map((record) => record.epoch)
          assert.include(meanwhile, epoch, `epoch ${epoch} while the store said ${meanwhile}`)
        }
      }).pipe(Random.withSeed(seed), Effect.provide(Layer.fresh(memory))),
    { arbitrary: { runs: 20 } }
  )
})
