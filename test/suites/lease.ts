/** The contract of `Leases`: it holds on every `ObjectStore`. Time is the test clock's. */

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { digestOf } from "../../infra/hashing.ts"
import { type Acquisition, type Lease, Leases, leaseKey, OwnerLiveness } from "../../lib/storage/Lease.ts"
import { leasesLayer } from "../../lib/storage/leases.ts"
import {
  ObjectStore,
  PreconditionFailed,
  type StoreError,
  StoreUnavailable
} from "../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../lib/storage/Signature.ts"

const leaseMillis = 30_000
const key = digestOf("a job")

interface Process {
  readonly name: string
  /** Names of processes that it knows to be gone. */
  readonly gone?: ReadonlyArray<string>
}

/** The leases of a process of its own on the store around it. */
const leasesOf = ({ gone = [], name }: Process) =>
  Effect.provide(
    Leases,
    leasesLayer({ leaseMillis, scope: mainScope }).pipe(
      Layer.provide(
        Layer.succeed(OwnerLiveness, {
          self: { host: "host", pid: 1, incarnation: name },
          isGone: ({ incarnation }) => Effect.succeed(gone.includes(incarnation))
        })
      )
    )
  )

const acquired = (acquisition: Acquisition): Lease => {
  if (acquisition._tag === "Taken") throw new Error(`taken by ${acquisition.by?.owner.runId}`)
  return acquisition.lease
}

const take = (leases: Leases["Service"], runId = "run") => Effect.map(leases.acquire(key, runId), acquired)

/** Looks every second for as long as `millis`; how many of the looks found it free. */
const watch = Effect.fnUntraced(function* (leases: Leases["Service"], millis: number) {
  let numFree = 0
  for (let passed = 0; passed < millis; passed += 1000) {
    yield* TestClock.adjust(1000)
    if ((yield* leases.look(key))._tag === "Free") numFree++
  }
  return numFree
})

/** Commits the write that `isMeant` names, once, and answers with `error`. */
const losingAnswers = (
  store: ObjectStore["Service"],
  isMeant: (text: string) => boolean,
  error: StoreError
): ObjectStore["Service"] => {
  let isLost = false
  return {
    ...store,
    put: (path, bytes, condition) =>
      Effect.tap(store.put(path, bytes, condition), () => {
        if (isLost || !isMeant(new TextDecoder().decode(bytes))) return Effect.void
        isLost = true
        return Effect.fail(error)
      })
  }
}

const answers = {
  "as a repeated request is answered": new PreconditionFailed({ key: "k", condition: "c" }),
  "as a broken connection is": new StoreUnavailable({ operation: "write", key: "k", reason: "reset" })
}

/** Each test gets a store of its own. */
export const leaseSuite = (name: string, layer: Layer.Layer<ObjectStore, StoreError>) => {
  const onStore = <E>(body: Effect.Effect<void, E, ObjectStore>) => Effect.provide(body, layer)

  describe(`Leases (${name})`, () => {
    it.effect("one holds it, the others are told who; released, the next one gets it", () =>
      onStore(
        Effect.gen(function* () {
          const [a, b] = [yield* leasesOf({ name: "a" }), yield* leasesOf({ name: "b" })]
          assert.strictEqual((yield* a.look(key))._tag, "Free")
          const first = yield* take(a, "run-a")
          const taken = yield* b.acquire(key, "run-b")
          assert.strictEqual(taken._tag, "Taken")
          assert.deepInclude(taken._tag === "Taken" ? taken.by?.owner : {}, { runId: "run-a", host: "host" })
          assert.deepInclude(yield* b.look(key), { _tag: "Taken" })
          yield* first.release
          assert.strictEqual((yield* b.look(key))._tag, "Free")
          const second = yield* b.acquire(key, "run-b")
          assert.deepInclude(second, { _tag: "Acquired", deposed: undefined })
          assert.deepStrictEqual([first.epoch, acquired(second).epoch], [1, 2])
          assert.strictEqual((yield* a.acquire(digestOf("another job"), "run-a"))._tag, "Acquired")
        })
      )
    )

    it.effect("of twenty that ask at once exactly one gets it, fresh or released", () =>
      onStore(
        Effect.gen(function* () {
          const processes = yield* Effect.forEach(Array.from({ length: 20 }), (_, i) =>
            leasesOf({ name: `${i}` })
          )
          for (const epoch of [1, 2, 3]) {
            const all = yield* Effect.forEach(processes, (leases) => leases.acquire(key, "run"), {
              concurrency: "unbounded"
            })
            const [lease, ...others] = all.flatMap((one) => (one._tag === "Acquired" ? [one.lease] : []))
            assert.lengthOf(others, 0)
            assert.strictEqual(lease!.epoch, epoch)
            yield* lease!.release
          }
        })
      )
    )

    it.effect("one that is renewed is never taken over, one that is silent for a whole lease is", () =>
      onStore(
        Effect.gen(function* () {
          const [a, b] = [yield* leasesOf({ name: "a" }), yield* leasesOf({ name: "b" })]
          const lease = yield* take(a, "run-a")
          for (let beat = 0; beat < 12; beat++) {
            assert.strictEqual(yield* watch(b, leaseMillis / 3), 0)
            yield* lease.renew
          }
          assert.strictEqual(yield* watch(b, leaseMillis - 1000), 0)
          assert.strictEqual((yield* b.acquire(key, "run-b"))._tag, "Taken")
          yield* watch(b, 12_000)
          const taken = yield* b.acquire(key, "run-b")
          assert.deepInclude(taken._tag === "Acquired" ? taken.deposed : {}, { runId: "run-a" })
          assert.strictEqual(acquired(taken).epoch, 2)
          for (const write of [lease.renew, lease.confirm, lease.keepAlive]) {
            const [error] = yield* Effect.all([Effect.flip(write), TestClock.adjust(leaseMillis)], {
              concurrency: 2
            })
            assert.strictEqual(error._tag, "LeaseLost")
          }
          yield* lease.release
          assert.strictEqual((yield* a.look(key))._tag, "Taken")
          yield* acquired(taken).renew
        })
      )
    )

    it.effect("of a process that is certainly gone it is taken over at once", () =>
      onStore(
        Effect.gen(function* () {
          const a = yield* leasesOf({ name: "a" })
          yield* take(a, "run-a")
          const b = yield* leasesOf({ name: "b", gone: ["a"] })
          assert.strictEqual((yield* b.look(key))._tag, "Free")
          assert.strictEqual((yield* take(b)).epoch, 2)
        })
      )
    )

    it.effect("who slept has not watched, but what was seen silent stays free until it is renewed", () =>
      onStore(
        Effect.gen(function* () {
          const [a, b] = [yield* leasesOf({ name: "a" }), yield* leasesOf({ name: "b" })]
          const lease = yield* take(a)
          yield* b.look(key)
          yield* TestClock.adjust(leaseMillis)
          assert.strictEqual((yield* b.look(key))._tag, "Taken")
          assert.isAbove(yield* watch(b, leaseMillis + 1000), 0)
          yield* TestClock.adjust(10 * leaseMillis)
          assert.strictEqual((yield* b.look(key))._tag, "Free")
          yield* lease.confirm
          assert.strictEqual((yield* b.look(key))._tag, "Taken")
        })
      )
    )

    for (const [how, error] of Object.entries(answers)) {
      it.effect(`a write whose answer is lost counts as ours, ${how}`, () =>
        onStore(
          Effect.gen(function* () {
            const store = yield* ObjectStore
            const losing = (part: string) =>
              Effect.provideService(
                leasesOf({ name: "a" }),
                ObjectStore,
                losingAnswers(store, (text) => text.includes(part), error)
              )
            const renewing = yield* take(yield* losing('"sequence":1'))
            yield* Effect.ignore(renewing.renew)
            yield* renewing.renew
            yield* renewing.release
            const releasing = yield* take(yield* losing('"released"'))
            yield* releasing.release
            assert.strictEqual((yield* (yield* leasesOf({ name: "b" })).look(key))._tag, "Free")
            if (error._tag !== "PreconditionFailed") return
            assert.strictEqual((yield* take(yield* losing('"sequence":0'))).epoch, 3)
          })
        )
      )
    }

    const unreadable = ["{", " ".repeat(100_000)]
    it.effect.each(unreadable)("an unreadable record is waited for like a silent owner (%#)", (text) =>
      onStore(
        Effect.gen(function* () {
          const store = yield* ObjectStore
          yield* store.put(leaseKey(mainScope, key), new TextEncoder().encode(text))
          const a = yield* leasesOf({ name: "a" })
          assert.deepStrictEqual(yield* a.acquire(key, "run"), { _tag: "Taken", by: undefined })
          yield* watch(a, leaseMillis + 1000)
          assert.strictEqual((yield* take(a)).epoch, 1)
          const objects = yield* Stream.runCollect(store.list(""))
          assert.deepStrictEqual(
            objects.map((info) => info.key),
            [leaseKey(mainScope, key)]
          )
        })
      )
    )
  })
}
