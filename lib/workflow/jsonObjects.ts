/** Small JSON records in an `ObjectStore`: written with a schema, read back or known to be unreadable. */
import { Effect, Option, Schema } from "effect"
import { jsonValue } from "../storage/jsonValue.ts"
import {
  type Durability,
  type ObjectInfo,
  ObjectStore,
  type PutCondition,
  type StoreError
} from "../storage/ObjectStore.ts"

/** Deeper than anything we write, and shallow enough for whatever walks a value by recursion. */
const nestingMax = 200

/** Whether brackets outside of strings are nested too deeply. */
const isTooDeep = (text: string): boolean => {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (inString) {
      if (character === "\\") index += 1
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === "{" || character === "[") {
      depth += 1
      if (depth > nestingMax) return true
    } else if (character === "}" || character === "]") depth -= 1
  }
  return false
}

const parse = Option.liftThrowable(jsonValue)

/** Of bytes that anybody may have written. `None` for what is no JSON, or nested more deeply than ours. */
export const parseJson = (bytes: Uint8Array): Option.Option<unknown> => {
  const text = new TextDecoder().decode(bytes)
  return isTooDeep(text) ? Option.none() : parse(text)
}

/** A hundred times what the largest records of ours take. */
export const recordBytesMax = 8 * 2 ** 20

/**
 * `None` where what is stored does not fit the schema, or is larger than any record. Fails with
 * `ObjectNotFound` where nothing is.
 */
export const readJson = <A>(
  schema: Schema.Codec<A, unknown>,
  key: string,
  sizeBytesMax = recordBytesMax
): Effect.Effect<Option.Option<A>, StoreError, ObjectStore> =>
  Effect.gen(function* () {
    const store = yield* ObjectStore
    return Option.flatMap(parseJson(yield* store.get(key, sizeBytesMax)), Schema.decodeUnknownOption(schema))
  }).pipe(Effect.catchTag("ObjectTooLarge", () => Effect.succeed(Option.none<A>())))

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
