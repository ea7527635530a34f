import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { hasherLayer } from "../../../infra/hashing.ts"
import { s3Stamps } from "../../../infra/stores/s3Stamps.ts"
import { memoryObjectStoreLayer } from "../../../lib/storage/MemoryObjectStore.ts"
import { ObjectStore } from "../../../lib/storage/ObjectStore.ts"

const layer = memoryObjectStoreLayer.pipe(Layer.provide(hasherLayer))
const keysIn = (folder: string, from: number, count: number) =>
  Array.from({ length: count }, (_, nth) => `${folder}/ab/${String(from + nth).padStart(6, "0")}`)

/** A store with these objects, and what it was asked: keys singly, folders. */
const watched = Effect.fnUntraced(function* (present: ReadonlyArray<string>) {
  const store = yield* ObjectStore
  for (const key of present) yield* store.put(key, new TextEncoder().encode(key))
  const heads: Array<string> = []
  const lists: Array<string> = []
  const head = (key: string) => {
    heads.push(key)
    return store.head(key)
  }
  const list = (prefix: string) => {
    lists.push(prefix)
    return store.list(prefix)
  }
  return { heads, lists, questions: { head, list } }
})

describe("how many objects look", () => {
  it.effect("is listed, folder by folder; what was not listed is asked for", () =>
    Effect.gen(function* () {
      const manifests = keysIn("manifests/main", 0, 1000)
      const blobs = keysIn("blobs/sha256", 0, 1500)
      const { heads, lists, questions } = yield* watched([...manifests, ...blobs])
      const absent = "manifests/main/ab/none"
      const asked = [...manifests, absent, ...blobs.slice(200, 1200), "runs/one/x"]
      const stamps = yield* s3Stamps(questions, asked)
      assert.deepStrictEqual(lists, ["manifests/main/", "blobs/sha256/"])
      assert.deepStrictEqual(heads, [absent, "runs/one/x"])
      const there = stamps.map((stamp) => stamp?.sizeBytes)
      assert.deepStrictEqual(
        there,
        asked.map((key) => (heads.includes(key) ? undefined : key.length))
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("is not looked for to the end of a folder that holds much else", () =>
    Effect.gen(function* () {
      const present = keysIn("blobs/sha256", 0, 5000)
      const { heads, questions } = yield* watched(present)
      const asked = [...present.slice(0, 30), ...present.slice(-10)]
      const stamps = yield* s3Stamps(questions, asked)
      assert.isTrue(stamps.every((stamp) => stamp !== undefined))
      assert.deepStrictEqual(heads, present.slice(-10))
    }).pipe(Effect.provide(layer))
  )
})
