/**
 * An `ObjectStore` that lives as long as its layer: for tests, and the plainest statement of the contract.
 */
import { Clock, Effect, Layer, Stream } from "effect"
import { wholeOf } from "./ByteSource.ts"
import { Hasher } from "./Digest.ts"
import {
  type Move,
  type ObjectInfo,
  ObjectNotFound,
  ObjectStore,
  ObjectTooLarge,
  PreconditionFailed,
  type PutCondition,
  StoreUnavailable
} from "./ObjectStore.ts"
import { isObjectKey, keyRule } from "./objectKeys.ts"

interface Held {
  readonly info: ObjectInfo
  readonly bytes: Uint8Array
}

const holds = (condition: PutCondition, held: Held | undefined): boolean =>
  condition._tag === "Absent" ? held === undefined : held?.info.version === condition.version

/** How a failed condition is told; stores share the words. */
export const conditionText = (condition: PutCondition): string =>
  condition._tag === "Absent" ? "that it is absent" : `that it is version ${condition.version}`

const make = (hasher: Hasher["Service"]): ObjectStore["Service"] => {
  const objects = new Map<string, Held>()
  const found = (key: string): Effect.Effect<Held, ObjectNotFound> =>
    Effect.suspend(() => {
      const held = objects.get(key)
      return held === undefined ? Effect.fail(new ObjectNotFound({ key })) : Effect.succeed(held)
    })
  const put: ObjectStore["Service"]["put"] = Effect.fn("MemoryObjectStore.put")(
    function* (key, bytes, condition) {
      if (!isObjectKey(key)) return yield* new StoreUnavailable({ operation: "write", key, reason: keyRule })
      if (condition !== undefined && !holds(condition, objects.get(key))) {
        return yield* new PreconditionFailed({ key, condition: conditionText(condition) })
      }
      const modifiedAtMillis = yield* Clock.currentTimeMillis
      const info = { key, sizeBytes: bytes.length, version: hasher.digest(bytes), modifiedAtMillis }
      objects.set(key, { info, bytes: bytes.slice() })
      return info
    }
  )
  const move = Effect.fn("MemoryObjectStore.move")(function* (wanted: Move) {
    const held = objects.get(wanted.from)
    if (held === undefined || (wanted.version ?? held.info.version) !== held.info.version) return []
    yield* put(wanted.to, held.bytes)
    objects.delete(wanted.from)
    return [wanted]
  })
  return {
    location: "memory",
    isConditional: true,
    isLocal: true,
    stamps: (keys) =>
      Effect.sync(() =>
        keys.map((key) => {
          const info = objects.get(key)?.info
          return info && { sizeBytes: info.sizeBytes, stamp: info.version }
        })
      ),
    get: (key, sizeBytesMax = Number.POSITIVE_INFINITY) =>
      Effect.flatMap(found(key), ({ bytes, info: { sizeBytes } }) =>
        sizeBytes > sizeBytesMax
          ? Effect.fail(new ObjectTooLarge({ key, sizeBytes, sizeBytesMax }))
          : Effect.succeed(bytes.slice())
      ),
    getStream: (key) =>
      Effect.map(found(key), ({ bytes, info: { sizeBytes } }) => ({
        sizeBytes,
        chunks: Stream.sync(() => bytes.slice())
      })),
    head: (key) => Effect.map(found(key), (held) => held.info),
    put,
    putStream: (key, source) => Effect.flatMap(wholeOf(source), (bytes) => put(key, bytes)),
    remove: (key) => Effect.sync(() => void objects.delete(key)),
    removeAll: (keys) => Effect.sync(() => keys.forEach((key) => void objects.delete(key))),
    moveAll: (moves) => Effect.map(Effect.forEach(moves, move), (moved) => moved.flat()),
    removeLeftovers: () => Effect.succeed(0),
    list: (prefix) =>
      Stream.suspend(() =>
        Stream.fromIterable(
          [...objects.values()]
            .map((held) => held.info)
            .filter((info) => info.key.startsWith(prefix))
            .sort((a, b) => (a.key < b.key ? -1 : 1))
        )
      )
  }
}

export const memoryObjectStoreLayer: Layer.Layer<ObjectStore, never, Hasher> = Layer.effect(
  ObjectStore,
  Effect.map(Hasher, make)
)
