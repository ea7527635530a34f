/** Freezing parts of a network by name, as transfer does: frozen weights are used and never updated. */
import { Effect, Schema } from "effect"
import type { WeightSpec } from "./Weights.ts"

/** A prefix to freeze names no weight: a slip of the pen, or of another architecture. */
export class FrozenPrefixUnknown extends Schema.TaggedError<FrozenPrefixUnknown>()("FrozenPrefixUnknown", {
  prefix: Schema.String,
  /** What stands before the first dot of the weights' names. */
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return (
      `Nothing to freeze is named "${this.prefix}": this network's parts are ${this.known.join(", ")}. ` +
      'A prefix is whole parts of a name, as "layer1" or "layer1.0.bn1".'
    )
  }
}

/**
 * The same specs, those frozen whose name is a prefix or begins with one and a dot: `layer1` freezes
 * `layer1.0.conv1.weight` and not `layer10.weight`. A normalisation under a prefix keeps its statistics too.
 */
export const withFrozen = (
  specs: ReadonlyArray<WeightSpec>,
  prefixes: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<WeightSpec>, FrozenPrefixUnknown> => {
  const unknown = prefixes.find((prefix) => !specs.some(({ name }) => isUnder(name, prefix)))
  if (unknown !== undefined) {
    const known = [...new Set(specs.map(({ name }) => name.split(".")[0]!))]
    return Effect.fail(new FrozenPrefixUnknown({ prefix: unknown, known }))
  }
  return Effect.succeed(
    specs.map((spec) =>
      prefixes.some((prefix) => isUnder(spec.name, prefix)) ? { ...spec, frozen: true } : spec
    )
  )
}

const isUnder = (name: string, prefix: string): boolean => name === prefix || name.startsWith(`${prefix}.`)

/** The names of all batch normalisations: prefixes that freeze them, as detectors with small batches do. */
export const batchNormNames = (specs: ReadonlyArray<WeightSpec>): ReadonlyArray<string> =>
  specs.flatMap(({ name, role }) => (role === "running-mean" ? [name.slice(0, name.lastIndexOf("."))] : []))
