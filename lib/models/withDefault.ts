/** Params that may be left out. */
import { Effect, Option, Schema, SchemaGetter } from "effect"

/** A key that takes `value` where it is left out, when made in code and when read from JSON. */
export const withDefault = <S extends Schema.Top & Schema.WithoutConstructorDefault>(
  schema: S,
  value: S["Type"]
) => {
  const decoding = Schema.withDecodingDefaultTypeKey(Effect.succeed(value))(schema)
  return Schema.withConstructorDefault<typeof decoding>(Effect.succeed(value))(decoding)
}

/**
 * A key that stays away where it has its usual `value`, also when that is written out: one choice has one
 * form, and what was named before the key existed keeps its own.
 */
export const leftOut = <S extends Schema.Top>(schema: S, value: S["Type"]) => {
  const unless = Option.filter<S["Type"]>((given) => given !== value)
  return Schema.optionalKey(schema).pipe(
    Schema.decodeTo(Schema.optionalKey(Schema.toType(schema)), {
      decode: SchemaGetter.transformOptional(unless),
      encode: SchemaGetter.transformOptional(unless)
    })
  )
}
