/** Params that may be left out. */
import { Effect, Schema } from "effect"

/** A key that takes `value` where it is left out, when made in code and when read from JSON. */
export const withDefault = <S extends Schema.Top & Schema.WithoutConstructorDefault>(
  schema: S,
  value: S["Type"]
) => {
  const decoding = Schema.withDecodingDefaultTypeKey(Effect.succeed(value))(schema)
  return Schema.withConstructorDefault<typeof decoding>(Effect.succeed(value))(decoding)
}
