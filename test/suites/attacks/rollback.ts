/** A result in whose place an earlier one was put, which its owner has signed, too. */
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { trashKey } from "../../../lib/storage/trash.ts"
import { indexKey } from "../../../lib/workflow/ResultIndex.ts"
import { manifestKey } from "../../../lib/workflow/SignedManifest.ts"
import { manifestOf } from "../../support/manifests.ts"
import { as, looked, memory, planned, publish, type Test } from "./scene.ts"

const rolledBack = /^its manifest was rolled back/
const index = indexKey(mainScope, "toy")

/** A result that was computed again: what each of the two was published as, and the index after each. */
const computedTwice = Effect.fnUntraced(function* (first: string, second: string) {
  const store = yield* ObjectStore
  const versions = []
  for (const value of [first, second]) {
    const made = yield* manifestOf({ value }, { nth: 1 })
    const { manifest } = yield* as()(publish(made, true))
    const object = manifestKey({ scope: mainScope, key: manifest.jobKey })
    yield* as()(planned([manifest]))
    versions.push({ manifest, bytes: yield* store.get(object), index: yield* store.get(index), object })
  }
  const [earlier, later] = versions as [(typeof versions)[0], (typeof versions)[0]]
  return { earlier, later, store }
})

const putBack = (name: string, test: Test): void => {
  describe(`a result that is rolled back (${name})`, () => {
    test(
      "with its index: a miss to those who have seen the later one; the others cannot know",
      Effect.gen(function* () {
        const { earlier, later, store } = yield* computedTwice("first", "second")
        const seen = memory()
        yield* as({}, seen)(planned([later.manifest]))
        yield* store.put(earlier.object, earlier.bytes)
        yield* store.put(index, earlier.index)
        assert.match(yield* as({}, seen)(looked(later.manifest)), rolledBack)
        // Nor does it count for them in later processes, or without an index.
        yield* store.remove(index)
        assert.match(yield* as({}, seen)(looked(later.manifest)), rolledBack)
        assert.strictEqual(yield* as()(looked(later.manifest)), '{"value":"first"}')
        // Computed again it is a hit, dated behind all that was seen.
        yield* as({}, seen)(publish(later.manifest))
        for (const memories of [seen, memory()]) {
          assert.strictEqual(yield* as({}, memories)(looked(later.manifest)), '{"value":"second"}')
        }
      })
    )

    test(
      "a miss also to the next readers of an index, whose writer has refused it",
      Effect.gen(function* () {
        const { earlier, later, store } = yield* computedTwice("first", "second")
        yield* store.put(earlier.object, earlier.bytes)
        // Each knows the index of the one before, and nothing else.
        for (const _ of ["the first", "the second", "the third"]) {
          yield* as()(planned([later.manifest]))
          assert.match(yield* as()(looked(later.manifest)), rolledBack)
        }
        // Who computes it again has planned from that index.
        const seen = memory()
        yield* as({}, seen)(planned([later.manifest]))
        yield* as({}, seen)(publish(later.manifest))
        assert.strictEqual(yield* as()(looked(later.manifest)), '{"value":"second"}')
      })
    )

    test(
      "to an equal result: a hit, as nothing is lost by it",
      Effect.gen(function* () {
        const { earlier, later, store } = yield* computedTwice("same", "same")
        assert.notDeepEqual(earlier.bytes, later.bytes)
        const seen = memory()
        yield* as({}, seen)(planned([later.manifest]))
        yield* store.put(earlier.object, earlier.bytes)
        assert.strictEqual(yield* as({}, seen)(looked(later.manifest)), '{"value":"same"}')
      })
    )

    test(
      "swept and put back, or healed by the same bytes: a hit",
      Effect.gen(function* () {
        const { later, store } = yield* computedTwice("first", "second")
        const seen = memory()
        yield* as({}, seen)(planned([later.manifest]))
        const sizeBytes = later.bytes.length
        yield* store.moveAll([{ from: later.object, to: trashKey(later.object), sizeBytes }])
        assert.strictEqual(yield* as({}, seen)(looked(later.manifest)), "Absent")
        yield* store.moveAll([{ from: trashKey(later.object), to: later.object, sizeBytes }])
        assert.strictEqual(yield* as({}, seen)(looked(later.manifest)), '{"value":"second"}')
        yield* store.put(later.object, new Uint8Array(10))
        yield* store.put(later.object, later.bytes)
        assert.strictEqual(yield* as({}, seen)(looked(later.manifest)), '{"value":"second"}')
      })
    )
  })
}

const comingBack = (name: string, test: Test): void => {
  describe(`a result that comes back honestly is a hit (${name})`, () => {
    test(
      "lost, and computed anew by somebody who never saw it: a hit to those who did",
      Effect.gen(function* () {
        const { later, store } = yield* computedTwice("first", "second")
        const seen = memory()
        yield* as({}, seen)(planned([later.manifest]))
        yield* store.remove(later.object)
        yield* store.remove(index)
        // By a clock that goes on; the one of these tests stands still.
        yield* TestClock.adjust("1 minute")
        yield* as()(publish(yield* manifestOf({ value: "third" }, { nth: 1 })))
        assert.strictEqual(yield* as({}, seen)(looked(later.manifest)), '{"value":"third"}')
      })
    )

    test(
      "the copy of an older mirror: a hit to those who never saw a later one",
      Effect.gen(function* () {
        const { earlier, store } = yield* computedTwice("first", "second")
        yield* store.put(earlier.object, earlier.bytes)
        yield* store.remove(index)
        const seen = memory()
        for (const _ of ["at once", "and again"]) {
          yield* as({}, seen)(planned([earlier.manifest]))
          assert.strictEqual(yield* as({}, seen)(looked(earlier.manifest)), '{"value":"first"}')
        }
      })
    )
  })
}

export const rollbackSuite = (name: string, test: Test): void => {
  putBack(name, test)
  comingBack(name, test)
}
