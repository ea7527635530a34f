import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { ownerLivenessLayer } from "../../../infra/ownerLiveness.ts"
import { OwnerLiveness } from "../../../lib/storage/Lease.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { openRuns, whileOpen } from "../../../lib/workflow/OpenRuns.ts"
import { codeOf as digest, memoryStorage } from "../../support/toyStages.ts"

const layer = Layer.merge(memoryStorage, ownerLivenessLayer)
const gone = Layer.effect(
  OwnerLiveness,
  Effect.map(OwnerLiveness, ({ self }) => ({ self, isGone: () => Effect.succeed(true) }))
).pipe(Layer.provide(ownerLivenessLayer))

describe("a run that goes on", () => {
  it.effect("is known with what it reads, until it ends, also by a failure", () =>
    Effect.gen(function* () {
      const keys = [digest("a"), digest("b")]
      const seen = yield* whileOpen("one", keys, openRuns)
      assert.deepStrictEqual([seen.open.map((run) => run.keys), seen.forgotten], [[keys], []])
      yield* Effect.exit(whileOpen("two", keys, Effect.fail("broken")))
      assert.deepStrictEqual(yield* Stream.runCollect((yield* ObjectStore).list("")), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("is forgotten when its process is gone, or its record is unreadable", () =>
    Effect.gen(function* () {
      const store = yield* ObjectStore
      yield* store.put("running/torn.json", new TextEncoder().encode('{"schema'))
      const seen = yield* whileOpen("one", [], Effect.provide(openRuns, gone))
      assert.deepStrictEqual([seen.open, seen.forgotten], [[], ["running/one.json", "running/torn.json"]])
    }).pipe(Effect.provide(layer))
  )
})
