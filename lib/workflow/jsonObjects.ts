/** Small JSON records in an `ObjectStore`: written with a schema, read back or known to be unreadable. */
import { Effect, Option, Schema } from "effect"
import {
  type Durability,
  type ObjectInfo,
  ObjectStore,
  type PutCondition,
  type StoreError
} from "../storage/ObjectStore.ts"

/** `None` where what is stored does not fit the schema. Fails with `ObjectNotFound` where nothing is. */
export const readJson = <A>(
  schema: Schema.Codec<A, unknown>,
  key: string
): Effect.Effect<Option.Option<A>, StoreError, ObjectStore> =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const text = new TextDecoder().decode(yield* store.get(key))
    return Schema.decodeUnknownOption(Schema.fromJsonString(schema))(text)
  })

/** Indented, for people who look into the store. Values are our own and fit their schema. */
export const writeJson = <A>(
  schema: Schema.Codec<A, unknown>,
  key: string,
  value: A,
  condition?: PutCondition,
  durability?: Durability
): Effect.Effect<ObjectInfo, StoreError, ObjectStore> =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    const encoded = yield* Effect.orDie(Schema.encodeEffect(schema)(value))
    const bytes = new TextEncoder().encode(`${JSON.stringify(encoded, null, 1)}\n`)
    return yield* store.put(key, bytes, condition, durability)
  })

/** Absence as a value. */
export const ifPresent = <A, R>(
  effect: Effect.Effect<A, StoreError, R>
): Effect.Effect<Option.Option<A>, StoreError, R> =>
  effect.pipe(
    Effect.map(Option.some),
    Effect.catchTag("ObjectNotFound", () => Effect.succeed(Option.none<A>()))
  )
