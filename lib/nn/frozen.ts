/** Freezing parts of a network by name, as transfer does: frozen weights are used and never updated. */
import { Effect, Schema } from "effect"
import type { WeightSpec } from "./Weights.ts"

/** A prefix names no weight: a slip of the pen, or of another architecture. */
export class FrozenPrefixUnknown extends Schema.TaggedError<FrozenPrefixUnknown>()("FrozenPrefixUnknown", {
  prefix: Schema.String,
  /** What was to become of what it names. */
  purpose: Schema.Literals(["freeze", "train"]),
  /** What stands before the first dot of the weights' names. */
  known: Schema.Array(Schema.String)
}) {
  override get message() {
    return (
      `Nothing to ${this.purpose} is named "${this.prefix}": this network's parts are ` +
      `${this.known.join(", ")}. A prefix is whole parts of a name, as "layer1" or "layer1.0.bn1".`
    )
  }
}

const checkPrefixes = (
  specs: ReadonlyArray<WeightSpec>,
  prefixes: ReadonlyArray<string>,
  purpose: FrozenPrefixUnknown["purpose"]
): Effect.Effect<void, FrozenPrefixUnknown> => {
  const prefix = prefixes.find((one) => !specs.some(({ name }) => isUnder(name, one)))
  if (prefix === undefined) return Effect.void
  const known = [...new Set(specs.map(({ name }) => name.split(".")[0]!))]
  return Effect.fail(new FrozenPrefixUnknown({ prefix, purpose, known }))
}

/**
 * The same specs, those frozen whose name is a prefix or begins with one and a dot: `layer1` freezes
 * `layer1.0.conv1.weight` and not `layer10.weight`. A normalisation under a prefix keeps its statistics too.
 */
export const withFrozen = (
  specs: ReadonlyArray<WeightSpec>,
  prefixes: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<WeightSpec>, FrozenPrefixUnknown> =>
  Effect.as(
    checkPrefixes(specs, prefixes, "freeze"),
    specs.map((spec) =>
      prefixes.some((prefix) => isUnder(spec.name, prefix)) ? { ...spec, frozen: true } : spec
    )
  )

/** The same specs, all frozen but those under a prefix. */
export const withOnlyTrained = (
  specs: ReadonlyArray<WeightSpec>,
  prefixes: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<WeightSpec>, FrozenPrefixUnknown> =>
  Effect.as(
    checkPrefixes(specs, prefixes, "train"),
    specs.map((spec) =>
      prefixes.some((prefix) => isUnder(spec.name, prefix)) ? spec : { ...spec, frozen: true }
    )
  )

const isUnder = (name: string, prefix: string): boolean => name === prefix || name.startsWith(`${prefix}.`)

/** The names of all batch normalisations: prefixes that freeze them, as detectors with small batches do. */
export const batchNormNames = (specs: ReadonlyArray<WeightSpec>): ReadonlyArray<string> =>
  specs.flatMap(({ name, role }) => (role === "running-mean" ? [name.slice(0, name.lastIndexOf("."))] : []))
