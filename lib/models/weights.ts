/** Weights ↔ safetensors bytes, and the check that weights are those a model asks for. */
import { Effect, Schema } from "effect"
import type { Weight, WeightSpec, Weights } from "../nn/Weights.ts"
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from "./safetensors.ts"

/** The weights are not those of this model: another depth, width, number of classes, … */
export class WeightsMismatch extends Schema.TaggedError<WeightsMismatch>()("WeightsMismatch", {
  missing: Schema.Array(Schema.String),
  unexpected: Schema.Array(Schema.String),
  misshapen: Schema.Array(Schema.String)
}) {
  override get message() {
    const list = (what: string, names: ReadonlyArray<string>) =>
      names.length === 0 ? [] : [`${what}: ${names.slice(0, 4).join(", ")}${names.length > 4 ? ", …" : ""}`]
    const differences = [
      ...list("missing", this.missing),
      ...list("unexpected", this.unexpected),
      ...list("of another shape", this.misshapen)
    ]
    return `The weights do not fit the model (${differences.join("; ")}). Use those of the same architecture.`
  }
}

/** Equal weights and metadata give equal bytes. */
export const encodeWeights = (
  weights: Weights,
  metadata: Readonly<Record<string, string>> = {}
): Uint8Array<ArrayBuffer> => encodeSafetensors({ arrays: weights, metadata })

/** Reads the weights of `specs`, all of them and nothing else. */
export const decodeWeights = Effect.fn("decodeWeights")(function* (
  bytes: Uint8Array,
  specs: ReadonlyArray<WeightSpec>
) {
  const { arrays } = yield* decodeSafetensors(bytes)
  const found: Array<readonly [string, Weight]> = []
  for (const [name, { shape, values }] of Object.entries(arrays)) {
    if (!(values instanceof Float32Array)) {
      return yield* new SafetensorsError({ reason: `weight "${name}" must be F32` })
    }
    found.push([name, { shape, values }])
  }
  // Not by assignment: a file may call a weight `__proto__`, which would then be nowhere.
  const weights: Weights = Object.fromEntries(found)
  yield* checkWeights(weights, specs)
  return weights
})

/** Succeeds when `weights` has exactly the names and shapes of `specs`. */
export const checkWeights = (
  weights: Weights,
  specs: ReadonlyArray<WeightSpec>
): Effect.Effect<void, WeightsMismatch> => {
  const wanted = new Set(specs.map((spec) => spec.name))
  const missing = specs.filter((spec) => weights[spec.name] === undefined).map((spec) => spec.name)
  const unexpected = Object.keys(weights).filter((name) => !wanted.has(name))
  const misshapen = specs.flatMap(({ name, shape }) => {
    const found = weights[name]?.shape
    return found === undefined || found.join() === shape.join() ? [] : [`${name} [${found}], not [${shape}]`]
  })
  return missing.length + unexpected.length + misshapen.length === 0
    ? Effect.void
    : Effect.fail(new WeightsMismatch({ missing, unexpected, misshapen }))
}
