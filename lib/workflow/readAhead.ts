/**
 * While a body works on one blob of a list, the next ones come. Where reading is a journey over the network,
 * the work begins with the first of them and not with the last.
 */
import { Effect, Fiber, Schema, type Scope } from "effect"
import { type BlobError, BlobRef, type BlobStore } from "../storage/BlobStore.ts"
import type { Digest } from "../storage/Digest.ts"

/** What lies ready unasked for; besides it a body holds what it is at. */
const aheadBytesMax = 64 * 2 ** 20

const isBlobRef = Schema.is(BlobRef)

/** The lists of blobs in an encoded value, as long as they are: shards of a split. */
const listsIn = (value: Schema.Json): ReadonlyArray<ReadonlyArray<BlobRef>> => {
  if (typeof value !== "object" || value === null) return []
  if (Array.isArray(value) && value.length > 1 && value.every((one) => isBlobRef(one))) return [value]
  return Object.values(value).flatMap(listsIn)
}

interface Place {
  readonly list: ReadonlyArray<BlobRef>
  readonly index: number
}

class ReadAhead {
  readonly #store: BlobStore["Service"]
  readonly #scope: Scope.Scope
  readonly #places: ReadonlyMap<Digest, Place>
  readonly #coming = new Map<
    Digest,
    { readonly ref: BlobRef; readonly fiber: Fiber.Fiber<Uint8Array, BlobError> }
  >()
  readonly #read = new Set<Digest>()

  constructor(store: BlobStore["Service"], scope: Scope.Scope, value: Schema.Json) {
    this.#store = store
    this.#scope = scope
    this.#places = new Map(
      listsIn(value).flatMap((list) => list.map((ref, index) => [ref.blob, { list, index }] as const))
    )
  }

  readonly get = Effect.fn("ReadAhead.get")({ self: this }, function* (ref: BlobRef) {
    const place = this.#places.get(ref.blob)
    if (place === undefined) return yield* this.#store.get(ref)
    const bytes = yield* this.#taken(ref)
    this.#read.add(ref.blob)
    const before = place.list[place.index - 1]
    // Who picks one here and one there does not want the next.
    if (before === undefined || this.#read.has(before.blob)) yield* this.#fetchAfter(place)
    return bytes
  })

  /** What came ahead serves once. If that failed it is asked for again: nobody was waiting for it then. */
  readonly #taken = Effect.fnUntraced({ self: this }, function* (ref: BlobRef) {
    const coming = this.#coming.get(ref.blob)
    if (coming === undefined) return yield* this.#store.get(ref)
    const bytes = yield* Effect.option(Fiber.join(coming.fiber))
    this.#coming.delete(ref.blob)
    return bytes._tag === "Some" ? bytes.value : yield* this.#store.get(ref)
  })

  readonly #fetchAfter = Effect.fnUntraced({ self: this }, function* ({ index, list }: Place) {
    for (const ref of list.slice(index + 1)) {
      if (this.#coming.has(ref.blob) || this.#read.has(ref.blob)) continue
      const sizes = [...this.#coming.values()].map((one) => one.ref.sizeBytes)
      if (sizes.reduce((sum, size) => sum + size, ref.sizeBytes) > aheadBytesMax) return
      const fiber = yield* Effect.forkIn(this.#store.get(ref), this.#scope)
      this.#coming.set(ref.blob, { ref, fiber })
    }
  })
}

/**
 * The store as a body sees it that is given `value`. What is on its way when the scope ends is given up.
 */
export const readingAhead = (
  store: BlobStore["Service"],
  value: Schema.Json
): Effect.Effect<BlobStore["Service"], never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => ({ ...store, get: new ReadAhead(store, scope, value).get }))
