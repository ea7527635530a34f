/** The params that a person chose: those that say something else than the stage's defaults. */
import { Schema } from "effect"
import { canonicalJson } from "../../lib/workflow/Fingerprint.ts"
import type { ParamsSchema } from "../../lib/workflow/Stage.ts"

type Path = ReadonlyArray<string>

const isObject = (value: Schema.Json | undefined): value is Schema.JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const without = (params: Schema.JsonObject, [key = "", ...rest]: Path): Schema.JsonObject => {
  const inner = params[key]
  const { [key]: _, ...others } = params
  return rest.length > 0 && isObject(inner) ? { ...others, [key]: without(inner, rest) } : others
}

/** Paths of all objects' keys, those inside before the one around them. */
const pathsOf = (params: Schema.JsonObject, at: Path = []): ReadonlyArray<Path> =>
  Object.entries(params).flatMap(([key, value]) => [
    ...(isObject(value) ? pathsOf(value, [...at, key]) : []),
    [...at, key]
  ])

/** `params` in their canonical form. A key is left out where the schema fills in just what it held. */
export const chosenParams = (schema: ParamsSchema, params: Schema.JsonObject): Schema.JsonObject => {
  const whole = canonicalJson(params)
  const meansTheSame = (fewer: Schema.JsonObject): boolean => {
    const decoded = Schema.decodeUnknownResult(schema)(fewer)
    if (decoded._tag === "Failure") return false
    return canonicalJson(Schema.encodeUnknownSync(schema)(decoded.success) as Schema.Json) === whole
  }
  return pathsOf(params).reduce((chosen, path) => {
    const fewer = without(chosen, path)
    return meansTheSame(fewer) ? fewer : chosen
  }, params)
}
