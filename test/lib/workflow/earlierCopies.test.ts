/** What was seen of a store counts when it is mended, checked or copied: an earlier result is no copy. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, type Scope } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { signingLayer } from "../../../infra/signing/signing.ts"
import { BlobStore } from "../../../lib/storage/BlobStore.ts"
import { blobStoreLayer } from "../../../lib/storage/blobs.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../../lib/storage/Signature.ts"
import { trashKey } from "../../../lib/storage/trash.ts"
import { select } from "../../../lib/workflow/CopySelection.ts"
import { check } from "../../../lib/workflow/Integrity.ts"
import { repair } from "../../../lib/workflow/Repair.ts"
import { SeenRecord, SeenResults } from "../../../lib/workflow/SeenResults.ts"
import { manifestKey } from "../../../lib/workflow/SignedManifest.ts"
import { copy, planCopy } from "../../../lib/workflow/StoreCopy.ts"
import { as, looked, memory, mine, planned, publish } from "../../suites/attacks/scene.ts"
import { manifestOf } from "../../support/manifests.ts"

const onStore = Layer.provideMerge(blobStoreLayer, Layer.provideMerge(memoryObjectStoreLayer, hasherLayer))

const anotherStore = Effect.map(Layer.build(Layer.fresh(onStore)), (context) => ({
  objects: Context.get(context, ObjectStore),
  blobs: Context.get(context, BlobStore)
}))

/** A result that was computed twice and seen each time, in the store, and nothing but it in another. */
const scene = Effect.gen(function* () {
  const here = { objects: yield* ObjectStore, blobs: yield* BlobStore }
  const seen = memory()
  const publishedAs = Effect.fnUntraced(function* (value: string) {
    const { manifest } = yield* as({}, seen)(publish(yield* manifestOf({ value }, { nth: 1 }), true))
    yield* as({}, seen)(planned([manifest]))
    const object = manifestKey({ scope: mainScope, key: manifest.jobKey })
    return { bytes: yield* here.objects.get(object), manifest, object }
  })
  const earlier = yield* publishedAs("first")
  const later = yield* publishedAs("second")
  return { earlier, here, later, object: later.object, seen, there: yield* anotherStore }
})

const everything = { isRead: () => true, onBlob: () => Effect.void }
const repaired = (copies: Parameters<typeof repair>[1]) =>
  Effect.gen(function* () {
    const { damage } = yield* check(everything)
    return yield* repair(damage, copies)
  })

const test = <E>(title: string, body: Effect.Effect<void, E, Layer.Success<typeof provided> | Scope.Scope>) =>
  it.effect(title, () => Effect.scoped(Effect.provide(body, Layer.fresh(provided))))
const provided = Layer.provideMerge(signingLayer(mine), onStore)
const torn = new Uint8Array(10)

describe("an earlier result than was seen", () => {
  test(
    "heals nothing, from wherever it comes; the very one that was seen does",
    Effect.gen(function* () {
      const { earlier, here, later, object, seen, there } = yield* scene
      const seeing = Effect.provideService(SeenRecord, seen)
      const other = yield* anotherStore
      yield* here.objects.put(object, torn)
      yield* here.objects.put(trashKey(object), earlier.bytes)
      yield* there.objects.put(object, earlier.bytes)
      yield* other.objects.put(object, later.bytes)
      const { healed } = yield* seeing(repaired([there.objects, other.objects]))
      assert.deepStrictEqual(healed, [object])
      assert.strictEqual(yield* as({}, seen)(looked(later.manifest)), '{"value":"second"}')
      yield* here.objects.put(object, torn)
      const { quarantined } = yield* seeing(repaired([there.objects]))
      assert.deepStrictEqual(quarantined, [object])
      assert.strictEqual(yield* as({}, seen)(looked(later.manifest)), "Absent")
    })
  )

  test(
    "is whole, but counts for nobody who remembers",
    Effect.gen(function* () {
      const { earlier, here, object, seen } = yield* scene
      yield* here.objects.put(object, earlier.bytes)
      const { damage, untrusted } = yield* Effect.provideService(check(everything), SeenRecord, seen)
      assert.lengthOf(damage, 0)
      assert.match(`${untrusted[0]?.reason}`, /its manifest was rolled back/)
      assert.lengthOf((yield* check(everything)).untrusted, 0)
    })
  )
})

describe("a copy of an earlier result than was seen", () => {
  test(
    "is not made, whichever of the stores is remembered; others make it",
    Effect.gen(function* () {
      const { earlier, here, object, seen, there } = yield* scene
      yield* here.objects.remove(object)
      yield* there.objects.put(object, earlier.bytes)
      const selection = yield* Effect.provideService(
        select({ roots: undefined, alone: false }),
        ObjectStore,
        there.objects
      )
      const remembering = new SeenResults(seen)
      const forgetful = new SeenResults(memory())
      for (const [from, to] of [
        [remembering, forgetful],
        [forgetful, remembering]
      ] as const) {
        const plan = yield* planCopy(selection, { ...there, seen: from }, { ...here, seen: to })
        assert.lengthOf(plan.pending, 0)
        assert.match(`${plan.outdated[0]?.reason}`, /its manifest was rolled back/)
      }
      const plan = yield* planCopy(selection, { ...there, seen: forgetful }, { ...here, seen: forgetful })
      assert.lengthOf(plan.pending, 1)
    })
  )

  test(
    "gives way to a copy of the later one",
    Effect.gen(function* () {
      const { earlier, here, later, object, seen, there } = yield* scene
      yield* here.objects.put(object, earlier.bytes)
      yield* there.objects.put(object, later.bytes)
      const selection = yield* Effect.provideService(
        select({ roots: undefined, alone: false }),
        ObjectStore,
        there.objects
      )
      const from = { ...there, seen: new SeenResults(memory()) }
      const to = { ...here, seen: new SeenResults(seen) }
      const plan = yield* planCopy(selection, from, to)
      assert.lengthOf(plan.occupied, 0)
      yield* copy(selection, plan, { from, to, onProgress: () => Effect.void })
      assert.deepStrictEqual(yield* here.objects.get(object), later.bytes)
    })
  )
})
