/** An architecture, or the name under which a network was published: what a pipeline may say of weights. */
import { Effect, Schema, SchemaGetter, SchemaIssue } from "effect"
import { Architecture } from "../Architecture.ts"
import { publishedModelOf } from "./publishedModels.ts"

const named = Schema.NonEmptyString.pipe(
  Schema.decodeTo(Schema.toType(Architecture), {
    decode: SchemaGetter.transformEffect((name, options) =>
      publishedModelOf(name).pipe(
        Effect.map(({ architecture }) => architecture),
        Effect.mapError(({ message }) => new SchemaIssue.InvalidValue({ message }, name, options))
      )
    ),
    encode: SchemaGetter.forbiddenEncoding
  })
)

/** A name is looked up where params are checked: what is stored, and enters keys, is the architecture. */
export const NamedArchitecture = Schema.Union([Architecture, named])
