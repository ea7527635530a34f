import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ownerLivenessLayer } from "../../../infra/ownerLiveness.ts"
import { OwnerLiveness } from "../../../lib/storage/Lease.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { openRuns, whileOpen } from "../../../lib/workflow/OpenRuns.ts"
import { codeOf as digest, memoryStorage } from "../../support/toyStages.ts"

const layer = Layer.merge(memoryStorage, ownerLivenessLayer)
const gone = Layer.effect(
  OwnerLiveness,
  Effect.map(OwnerLiveness, ({ self }) => ({ self, isGone: () => Effect.succeed(true) }))
).pipe(Layer.provide(ownerLivenessLayer))

const named = (runId: string) => ({ runId, scope: mainScope })

describe("a run that goes on", () => {
  it.effect("is known with what it reads, from when it says so until it ends, also by a failure", () =>
    Effect.gen(function* () {
      const [a, b, c] = [digest("a"), digest("b"), digest("c")]
      const seen = yield* whileOpen(named("one"), ({ reads }) =>
        Effect.gen(function* () {
          const silent = yield* openRuns
          yield* reads([a, b])
          const first = yield* openRuns
          yield* Effect.all([reads([c]), reads([a])], { concurrency: "unbounded" })
          return [silent, first, yield* openRuns].map(({ open }) => open.map(({ keys }) => keys))
        })
      )
      assert.deepStrictEqual(seen, [[], [[a, b]], [[a, b, c]]])
      yield* Effect.exit(
        whileOpen(named("two"), ({ reads }) => Effect.andThen(reads([a]), Effect.fail("broken")))
      )
      assert.deepStrictEqual(yield* Stream.runCollect((yield* ObjectStore).list("")), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("is forgotten when its process is gone, or its record is unreadable", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      yield* store.put("running/main/torn.json", new TextEncoder().encode('{"schema'))
      const seen = yield* whileOpen(named("one"), ({ reads }) =>
        Effect.andThen(reads([]), Effect.provide(openRuns, gone))
      )
      assert.deepStrictEqual(
        [seen.open, seen.forgotten],
        [[], ["running/main/one.json", "running/main/torn.json"]]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("is known for as long as it takes, and for an hour after it gave its last sign of life", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const fiber = yield* Effect.forkChild(
        whileOpen(named("long"), ({ reads }) => Effect.andThen(reads([digest("a")]), Effect.never))
      )
      yield* TestClock.adjust("3 days")
      assert.lengthOf((yield* openRuns).open, 1)
      const record = yield* store.get("running/main/long.json")
      yield* Fiber.interrupt(fiber)
      assert.lengthOf((yield* openRuns).open, 0)
      // As of a machine that lost its power.
      yield* store.put("running/main/long.json", record)
      yield* TestClock.adjust("59 minutes")
      assert.lengthOf((yield* openRuns).open, 1)
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual((yield* openRuns).forgotten, ["running/main/long.json"])
    }).pipe(Effect.provide(layer))
  )
})
