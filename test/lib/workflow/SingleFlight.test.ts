/** Goal: one key is computed once. Method: two engines in memory on one store, as two runs would be. */

import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { leaseKey } from "../../../lib/storage/Lease.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { Runner, type RunOptions, type RunOutcome } from "../../../lib/workflow/Runner.ts"
import {
  makeWorld,
  memoryStorage,
  ToyError,
  toyEngine,
  toyParams,
  toyPipeline,
  type World
} from "../../support/toyStages.ts"

const leaseMillis = 30_000
const options: RunOptions = { selection: {}, concurrency: 1 }

/** A run in an engine of its own, as a fiber. */
const start = (world: World, more: Partial<RunOptions> = {}) =>
  Effect.flatMap(Runner, (runner) => runner.run(toyPipeline(world), { ...options, ...more })).pipe(
    Effect.provide(toyEngine(world)),
    Effect.forkChild
  )

/** The stage `total` of `world` waits for the gate; `entered` tells that it does. */
const gated = Effect.fnUntraced(function* (
  world: World,
  result: Effect.Effect<void, ToyError> = Effect.void
) {
  const entered = yield* Deferred.make<void>()
  const gate = yield* Deferred.make<void>()
  const pass = Effect.andThen(Deferred.await(gate), result)
  world.before.total = Effect.andThen(Deferred.succeed(entered, undefined), pass)
  return { entered: Deferred.await(entered), open: Deferred.succeed(gate, undefined) }
})

/** Lets others wait, looking now and then, for so long. */
const pass = Effect.fnUntraced(function* (millis: number) {
  for (let passed = 0; passed < millis; passed += 500) yield* TestClock.adjust(500)
})

const states = ({ report }: RunOutcome) => report.jobs.map((job) => `${job.name} ${job.state}`).join(", ")
const waits = (world: World) => world.events.filter((event) => event._tag === "JobWaiting")

const onMemory = <A, E>(effect: Effect.Effect<A, E, Layer.Success<typeof memoryStorage>>) =>
  Effect.provide(effect, Layer.fresh(memoryStorage))

const allRan = "numbers ran, total ran, double ran, triple ran, table ran"

describe("two runs on one store", () => {
  it.effect("compute every job once, and the one that waits says for whom", () =>
    onMemory(
      Effect.gen(function* () {
        const [a, b] = [makeWorld(), makeWorld()]
        const total = yield* gated(a)
        const first = yield* start(a)
        yield* total.entered
        const second = yield* start(b)
        yield* pass(90_000)
        const [runA] = a.events
        assert.deepStrictEqual(
          waits(b).map((event) => [event.job, event.holder?.owner.runId, event.holder?.owner.pid]),
          Array.from({ length: 2 }, () => [
            "total",
            runA?._tag === "RunStarted" ? runA.runId : "",
            process.pid
          ])
        )
        yield* total.open
        yield* pass(5_000)
        const outcomes = [yield* Fiber.join(first), yield* Fiber.join(second)]
        assert.strictEqual([...a.ran, ...b.ran].sort().join(), "numbers,scale,scale,table,total")
        assert.isTrue(outcomes.every(({ report }) => report.status === "ok"))
        assert.deepStrictEqual(outcomes[1]!.manifests, outcomes[0]!.manifests)
      })
    )
  )

  it.effect("a place in the pool is not waited in", () =>
    onMemory(
      Effect.gen(function* () {
        const [a, b] = [makeWorld(), makeWorld()]
        const total = yield* gated(a)
        const first = yield* start(a, { selection: { to: ["total"] } })
        yield* total.entered
        const second = yield* start(b)
        yield* pass(1_000)
        assert.deepStrictEqual(b.ran, [])
        const other = makeWorld()
        const params = { ...toyParams, values: [5] }
        yield* Effect.flatMap(Runner, (runner) => runner.run(toyPipeline(other, params), options)).pipe(
          Effect.provide(toyEngine(other))
        )
        assert.lengthOf(other.ran, 5)
        yield* total.open
        yield* pass(5_000)
        assert.strictEqual(states(yield* Fiber.join(first)), "numbers ran, total ran")
        assert.strictEqual(
          states(yield* Fiber.join(second)),
          "numbers hit, total hit, double ran, triple ran, table ran"
        )
      })
    )
  )

  it.effect("what fails for the one is tried by the other", () =>
    onMemory(
      Effect.gen(function* () {
        const [a, b] = [makeWorld(), makeWorld()]
        const total = yield* gated(a, Effect.fail(new ToyError({ message: "as told" })))
        const first = yield* start(a)
        yield* total.entered
        const second = yield* start(b)
        yield* pass(1_000)
        yield* total.open
        yield* pass(5_000)
        assert.strictEqual((yield* Fiber.join(first)).report.status, "failed")
        assert.strictEqual(
          states(yield* Fiber.join(second)),
          "numbers hit, total ran, double ran, triple ran, table ran"
        )
      })
    )
  )

  it.effect("forced, both compute, one after the other", () =>
    onMemory(
      Effect.gen(function* () {
        const [a, b] = [makeWorld(), makeWorld()]
        const total = yield* gated(a)
        const first = yield* start(a, { selection: { force: "all" } })
        yield* total.entered
        const second = yield* start(b, { selection: { only: ["total"], force: ["total"] } })
        yield* pass(1_000)
        assert.deepStrictEqual(b.ran, [])
        yield* total.open
        yield* pass(5_000)
        assert.strictEqual(states(yield* Fiber.join(first)), allRan)
        const outcome = yield* Fiber.join(second)
        assert.strictEqual(states(outcome), "numbers hit, total ran")
        assert.deepStrictEqual(outcome.report.jobs[1]!.notes, ["computed again, with the same result"])
      })
    )
  )
})

describe("waiting ends", () => {
  it.effect("when a stop is asked for, at once", () =>
    onMemory(
      Effect.gen(function* () {
        const [a, b] = [makeWorld(), makeWorld()]
        const total = yield* gated(a)
        const first = yield* start(a)
        yield* total.entered
        const outcome = yield* Effect.gen(function* () {
          const runner = yield* Runner
          const second = yield* Effect.forkChild(runner.run(toyPipeline(b), options))
          yield* pass(10_000)
          yield* runner.requestStop
          return yield* Fiber.join(second)
        }).pipe(Effect.provide(toyEngine(b)))
        assert.strictEqual(outcome.report.status, "stopped")
        assert.deepStrictEqual(outcome.report.jobs[1]!.notes, ["the run was asked to stop"])
        yield* Fiber.interrupt(first)
      })
    )
  )

  it.effect("after the time that was allowed, with an error that names the holder", () =>
    onMemory(
      Effect.gen(function* () {
        const [a, b] = [makeWorld(), makeWorld()]
        const total = yield* gated(a)
        const first = yield* start(a)
        yield* total.entered
        const second = yield* start(b, { waitMillisMax: 10_000 })
        yield* pass(11_000)
        const outcome = yield* Fiber.join(second)
        const { error } = outcome.report.jobs[1]!
        assert.strictEqual(error?.tag, "LeaseTimeout")
        assert.match(error!.message, /"total" is computed by run \S+ on \S+ \(pid \d+\).*waited for 10 s/)
        yield* Fiber.interrupt(first)
      })
    )
  )
})

const leasesIn = Effect.gen(function* () {
  const store = yield* ObjectStore
  const found = yield* Stream.runCollect(store.list("leases/"))
  return yield* Effect.forEach(found, ({ key }) =>
    Effect.map(store.get(key), (bytes) => ({ key, record: JSON.parse(new TextDecoder().decode(bytes)) }))
  )
})

describe("a lease", () => {
  it.effect("is released however a job ends: done, failed, interrupted", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        world.before.table = Effect.fail(new ToyError({ message: "as told" }))
        yield* Effect.flatMap(start(world), Fiber.join)
        const other = makeWorld()
        const total = yield* gated(other)
        const fiber = yield* start(other, { selection: { force: "all" } })
        yield* total.entered
        yield* Fiber.interrupt(fiber)
        const leases = yield* leasesIn
        assert.lengthOf(leases, 5)
        assert.isTrue(leases.every(({ record }) => record.state === "released"))
      })
    )
  )

  it.effect("lost while the body runs ends it: nothing is published, the successor's result is used", () =>
    onMemory(
      Effect.gen(function* () {
        const [a, b] = [makeWorld(), makeWorld()]
        const total = yield* gated(a)
        const first = yield* start(a)
        yield* total.entered
        // As if a's process had been frozen, and b had seen it silent for a whole lease.
        const held = (yield* leasesIn).find(({ record }) => record.state === "held")!
        const store = yield* ObjectStore
        const successor = { ...held.record, epoch: 2, nonce: "b's", sequence: 0 }
        const put = (record: unknown) => store.put(held.key, new TextEncoder().encode(JSON.stringify(record)))
        yield* put(successor)
        yield* pass(leaseMillis / 3 + 1_000)
        assert.isAbove(waits(a).length, 0)
        assert.lengthOf(
          (yield* leasesIn).filter(({ record }) => record.nonce === "b's"),
          1
        )
        yield* put({ ...successor, state: "released", sequence: 1 })
        const second = yield* start(b, { selection: { to: ["total"] } })
        yield* pass(5_000)
        assert.strictEqual(states(yield* Fiber.join(second)), "numbers hit, total ran")
        assert.strictEqual(
          states(yield* Fiber.join(first)),
          "numbers ran, total hit, double ran, triple ran, table ran"
        )
        assert.deepStrictEqual(a.ran, ["numbers", "total", "scale", "scale", "table"])
        assert.include(
          (yield* leasesIn).map(({ key }) => key),
          leaseKey(mainScope, (yield* Fiber.join(first)).manifests.total!.jobKey)
        )
      })
    )
  )

  it.effect("is none on a store that decides no conditions, which is said once", () =>
    onMemory(
      Effect.gen(function* () {
        const world = makeWorld()
        const store = yield* ObjectStore
        const outcome = yield* Effect.flatMap(start(world), Fiber.join).pipe(
          Effect.provideService(ObjectStore, { ...store, isConditional: false })
        )
        assert.strictEqual(states(outcome), allRan)
        assert.deepStrictEqual(yield* leasesIn, [])
        assert.lengthOf(
          world.events.filter((event) => event._tag === "RunNote"),
          1
        )
      })
    )
  )
})
