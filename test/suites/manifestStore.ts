/** The contract of `ManifestStore`, on whatever store it lies. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { BlobStore } from "../../lib/storage/BlobStore.ts"
import { blobKey } from "../../lib/storage/blobs.ts"
import type { Hasher } from "../../lib/storage/Digest.ts"
import { ObjectStore, type StoreError } from "../../lib/storage/ObjectStore.ts"
import { mainScope } from "../../lib/storage/Signature.ts"
import { ManifestStore, manifestStoreLayer } from "../../lib/workflow/ManifestStore.ts"
import { indexKey } from "../../lib/workflow/ResultIndex.ts"
import { publishedAtMillis } from "../../lib/workflow/SeenResults.ts"
import { manifestKey } from "../../lib/workflow/SignedManifest.ts"
import { manifestOf } from "../support/manifests.ts"
import { testSigning } from "../support/signing.ts"

type Storage = ObjectStore | BlobStore | Hasher

/** What another process would see: nothing is remembered but what is stored. */
const afresh = <A, E, R>(effect: Effect.Effect<A, E, R | ManifestStore>) =>
  Effect.provide(effect, Layer.fresh(manifestStoreLayer.pipe(Layer.provide(testSigning))))

const text = (content: string): Uint8Array => new TextEncoder().encode(content)
const place = (key: Parameters<typeof manifestKey>[0]["key"]) => manifestKey({ scope: mainScope, key })

const publish = Effect.fnUntraced(function* (
  value: Parameters<typeof manifestOf>[0],
  params: Parameters<typeof manifestOf>[1] = {}
) {
  const made = yield* manifestOf(value, params)
  return yield* (yield* ManifestStore).publish(made, { replace: false })
})

/** The keys of what is opened. */
const watched = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  const store = yield* ObjectStore
  const blobs = yield* BlobStore
  const opened: Array<string> = []
  const watch =
    <K, B>(get: (of: K) => B, keyOf: (of: K) => string) =>
    (of: K): B => {
      opened.push(keyOf(of))
      return get(of)
    }
  yield* effect.pipe(
    Effect.provideService(ObjectStore, { ...store, get: watch(store.get, (key) => key) }),
    Effect.provideService(BlobStore, { ...blobs, get: watch(blobs.get, ({ blob }) => blobKey(blob)) })
  )
  return opened
})

/** Plans as a process of its own would; what was opened for it besides the index. */
const surveyed = Effect.fnUntraced(function* (keys: ReadonlyArray<Parameters<typeof place>[0]>) {
  const found: Array<string> = []
  const survey = Effect.gen(function* () {
    const store = yield* ManifestStore
    const find = yield* store.survey("toy")
    for (const key of keys) {
      const looked = yield* find(key)
      found.push(looked._tag === "Broken" ? looked.reason : looked._tag)
    }
    yield* store.keep("toy", keys)
  })
  const opened = yield* watched(afresh(survey))
  return { found, opened: opened.filter((key) => !key.startsWith("index/")) }
})

type Test = <E>(title: string, body: Effect.Effect<void, E, Storage | ManifestStore>) => void

const recentOfTotal = Effect.flatMap(ManifestStore, (store) => store.recent("toy", "total"))

const publishing = (test: Test): void => {
  test(
    "of twenty publishers of different results one wins and nineteen adopt its manifest",
    Effect.gen(function* () {
      const published = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, value) => ({ value })),
        (value) => publish(value),
        { concurrency: "unbounded" }
      )
      const tags = published.map((one) => one._tag).sort()
      assert.deepStrictEqual(tags, [...Array.from({ length: 19 }, () => "Adopted"), "Published"])
      assert.strictEqual(new Set(published.map((one) => one.manifest.output.digest)).size, 1)
    })
  )

  test(
    "a broken manifest is replaced by one publisher, whom the others follow",
    Effect.gen(function* () {
      const { jobKey } = yield* manifestOf(1)
      yield* (yield* ObjectStore).put(place(jobKey), text("{"))
      const found = yield* (yield* ManifestStore).find(jobKey)
      assert.deepStrictEqual(found, { _tag: "Broken", reason: "its manifest is unreadable" })
      const published = yield* Effect.forEach([1, 2, 3, 4, 5], (value) => publish(value), {
        concurrency: "unbounded"
      })
      assert.lengthOf(
        published.filter((one) => one._tag === "Replaced"),
        1
      )
      assert.strictEqual(new Set(published.map((one) => one.manifest.output.digest)).size, 1)
    })
  )

  test(
    "a forced result replaces a healthy one",
    Effect.gen(function* () {
      yield* publish(1)
      const store = yield* ManifestStore
      const made = yield* manifestOf(99)
      const { _tag, manifest } = yield* store.publish(made, { replace: true })
      assert.deepStrictEqual([_tag, manifest.output], ["Replaced", made.output])
      const find = Effect.flatMap(ManifestStore, (s) => s.find(made.jobKey))
      assert.deepStrictEqual(yield* find, { _tag: "Found", manifest })
      assert.deepStrictEqual(yield* afresh(find), { _tag: "Found", manifest })
    })
  )

  test(
    "a healthy result that is not of the type that is wanted gives way, one that is does not",
    Effect.gen(function* () {
      yield* publish(1)
      const store = yield* ManifestStore
      const made = yield* manifestOf(99)
      const published = (fits: boolean) => store.publish(made, { replace: false, fits: () => fits })
      assert.strictEqual((yield* published(true))._tag, "Adopted")
      const { _tag, manifest } = yield* published(false)
      assert.deepStrictEqual([_tag, manifest.output], ["Replaced", made.output])
      assert.deepStrictEqual(yield* store.find(made.jobKey), { _tag: "Found", manifest })
    })
  )
}

const dating = (test: Test): void => {
  test(
    "every result is dated, one that replaces another behind it, whatever the clock says",
    Effect.gen(function* () {
      const store = yield* ManifestStore
      const datesOf = Effect.fnUntraced(function* (value: number) {
        const { manifest } = yield* store.publish(yield* manifestOf(value), { replace: true })
        return publishedAtMillis(manifest)
      })
      yield* TestClock.setTime(5000)
      const first = yield* datesOf(1)
      yield* TestClock.setTime(4000)
      const dates = [first, yield* datesOf(2), yield* datesOf(3)]
      yield* TestClock.setTime(9000)
      assert.deepStrictEqual([...dates, yield* datesOf(4)], [5000, 5001, 5002, 9000])
    })
  )
}

const remembering = (test: Test): void => {
  test(
    "the last twenty keys of a job are remembered, latest first, each once",
    Effect.gen(function* () {
      const store = yield* ManifestStore
      const published = yield* Effect.forEach(Array.from({ length: 23 }), (_, nth) => publish(1, { nth }))
      yield* publish(1, { nth: 22 })
      const keys = published.map(({ manifest }) => manifest.jobKey)
      for (const recent of [yield* store.recent("toy", "total"), yield* afresh(recentOfTotal)]) {
        assert.deepStrictEqual(
          recent.map((manifest) => manifest.jobKey),
          keys.slice(3).reverse()
        )
      }
    })
  )
}

const surveying = (test: Test): void => {
  test(
    "a survey opens nothing but the index while everything looks as it did",
    Effect.gen(function* () {
      const blob = yield* (yield* BlobStore).put(text("pixels"))
      const published = yield* Effect.forEach(Array.from({ length: 5 }), (_, nth) => publish(blob, { nth }))
      const keys = published.map(({ manifest }) => manifest.jobKey)
      const found = ["Found", "Found", "Found", "Found", "Found"]
      const first = yield* surveyed(keys)
      assert.deepStrictEqual(first.found, found)
      assert.includeMembers(first.opened, [...keys.map(place), blobKey(blob.blob)])
      assert.deepStrictEqual(yield* surveyed(keys), { found, opened: [] })

      yield* (yield* ObjectStore).remove(place(keys[1]!))
      yield* (yield* ObjectStore).put(place(keys[3]!), text("{}"))
      const later = yield* surveyed(keys)
      assert.deepStrictEqual(later.found, ["Found", "Absent", "Found", "its manifest is unreadable", "Found"])
      assert.deepStrictEqual(later.opened, [place(keys[3]!)])
    })
  )

  test(
    "what a run publishes and keeps need not be verified by the next survey",
    Effect.gen(function* () {
      const blob = yield* (yield* BlobStore).put(text("pixels"))
      const { manifest } = yield* publish(blob)
      yield* (yield* ManifestStore).keep("toy", [manifest.jobKey])
      assert.deepStrictEqual(yield* surveyed([manifest.jobKey]), { found: ["Found"], opened: [] })
    })
  )
}

const doubting = (test: Test): void => {
  test(
    "a blob that is gone, or is another of the same size, is a miss with the reason",
    Effect.gen(function* () {
      const blobs = yield* BlobStore
      const store = yield* ObjectStore
      const [one, two] = [yield* blobs.put(text("pixels")), yield* blobs.put(text("labels"))]
      const keys = [
        (yield* publish({ one }, { nth: 1 })).manifest,
        (yield* publish({ two }, { nth: 2 })).manifest
      ]
      yield* surveyed(keys.map(({ jobKey }) => jobKey))
      yield* store.put(blobKey(one.blob), text("PIXELS"))
      yield* store.remove(blobKey(two.blob))
      const reasons = [`blob ${one.blob} was changed`, `blob ${two.blob} is missing or damaged`]
      for (const _ of ["at once", "and again"]) {
        const { found } = yield* surveyed(keys.map(({ jobKey }) => jobKey))
        assert.deepStrictEqual(found, reasons)
      }
      yield* blobs.put(text("pixels"))
      yield* blobs.put(text("labels"))
      assert.deepStrictEqual((yield* surveyed(keys.map(({ jobKey }) => jobKey))).found, ["Found", "Found"])
    })
  )

  test(
    "an index that is damaged, or that nobody trusted has signed, says nothing",
    Effect.gen(function* () {
      const store = yield* ObjectStore
      const { manifest } = yield* publish(7)
      yield* surveyed([manifest.jobKey])
      const sound = new TextDecoder().decode(yield* store.get(indexKey(mainScope, "toy")))
      const forged = [
        "",
        "{}\n{}\n",
        sound.slice(0, -20),
        sound.replace('"value":7', '"value":8'),
        sound.replace(/"signature":"..../, '"signature":"AAAA'),
        sound.replace(/ed25519:.{8}/, "ed25519:AAAAAAAA")
      ]
      for (const one of forged) {
        assert.notStrictEqual(one, sound)
        yield* store.put(indexKey(mainScope, "toy"), text(one))
        const { found, opened } = yield* surveyed([manifest.jobKey])
        assert.deepStrictEqual([found, opened], [["Found"], [place(manifest.jobKey)]])
      }
    })
  )
}

/** Each test gets a store of its own. */
export const manifestStoreSuite = (name: string, storage: () => Layer.Layer<Storage, StoreError>) => {
  const layer = Layer.suspend(() =>
    manifestStoreLayer.pipe(Layer.provideMerge(testSigning), Layer.provideMerge(storage()))
  )
  describe(`ManifestStore (${name})`, () => {
    const test: Test = (title, body) => it.effect(title, () => Effect.provide(body, layer))
    publishing(test)
    dating(test)
    remembering(test)
    surveying(test)
    doubting(test)
  })
}
