/**
 * How objects of a store looked a moment ago: asked for together as far as they were known then, and for the
 * others one by one, until so many of one folder are asked for that listing it takes fewer requests.
 */
import { Effect, Stream } from "effect"
import type { ObjectStamp, ObjectStore, StoreError } from "../storage/ObjectStore.ts"

const numSingleMax = 20

/** A folder of more objects is not listed: most of them are not asked for. */
const numListedMax = 5000

/** `manifests/main/ab/cd.json` → `manifests/main/` */
const folderOf = (key: string): string => key.split("/").slice(0, -2).join("/").concat("/")

export class Glance {
  readonly #store: ObjectStore["Service"]
  readonly #stamps = new Map<string, ObjectStamp>()
  /** Questions by folder. */
  readonly #numAsked = new Map<string, number>()
  /** Of these every object is known. */
  readonly #whole = new Set<string>()

  constructor(store: ObjectStore["Service"]) {
    this.#store = store
  }

  /** What is known already. */
  known(key: string): ObjectStamp | undefined {
    return this.#stamps.get(key)
  }

  /** Asks for these in one go. */
  readonly take = Effect.fnUntraced({ self: this }, function* (keys: ReadonlyArray<string>) {
    const stamps = yield* this.#store.stamps(keys)
    for (const [index, stamp] of stamps.entries())
      if (stamp !== undefined) this.#stamps.set(keys[index]!, stamp)
  })

  /** In the order of the keys; `undefined` where there is none. */
  readonly of = Effect.fnUntraced({ self: this }, function* (keys: ReadonlyArray<string>) {
    const unknown = keys.filter((key) => !this.#stamps.has(key))
    for (const folder of new Set(unknown.map(folderOf))) yield* this.#count(folder, unknown)
    const missing = unknown.filter((key) => !this.#stamps.has(key) && !this.#whole.has(folderOf(key)))
    if (missing.length > 0) yield* this.take(missing)
    return keys.map((key) => this.#stamps.get(key))
  })

  readonly #count = Effect.fnUntraced(
    { self: this },
    function* (folder: string, keys: ReadonlyArray<string>) {
      const before = this.#numAsked.get(folder) ?? 0
      const count = before + keys.filter((key) => folderOf(key) === folder).length
      this.#numAsked.set(folder, count)
      // Once: a folder that turned out too large stays so.
      if (this.#store.isLocal || before > numSingleMax || count <= numSingleMax) return
      const listed = yield* this.#list(folder)
      if (listed.length > numListedMax) return
      yield* this.take(listed)
      this.#whole.add(folder)
    }
  )

  #list(folder: string): Effect.Effect<ReadonlyArray<string>, StoreError> {
    return this.#store.list(folder).pipe(
      Stream.take(numListedMax + 1),
      Stream.map(({ key }) => key),
      Stream.runCollect
    )
  }
}
