/** Transfer: weights go from one network into another by name. */
import { Effect, Schema } from "effect"
import type { WeightSpec, Weights } from "../nn/Weights.ts"

/** Weights of one name have different shapes: the networks do not share this backbone. */
export class TransferMismatch extends Schema.TaggedError<TransferMismatch>()("TransferMismatch", {
  /** Each as "name [shape it has], not [shape it should have]". */
  misshapen: Schema.Array(Schema.String)
}) {
  override get message() {
    const shown = this.misshapen.slice(0, 4).join(", ")
    return (
      `The weights cannot be transferred: ${shown}${this.misshapen.length > 4 ? ", …" : ""}. ` +
      "Build on the classifier's own architecture and number of image channels."
    )
  }
}

export interface Transfer {
  /** All of the new network's. */
  readonly weights: Weights
  /** Names of those that start as the old network's. */
  readonly taken: ReadonlyArray<string>
  /** Names of those the old network does not have. */
  readonly fresh: ReadonlyArray<string>
  /** Names of the old network's that the new one has no use for. */
  readonly unused: ReadonlyArray<string>
}

export interface TransferOptions {
  readonly from: Weights
  /** Of the new network. */
  readonly specs: ReadonlyArray<WeightSpec>
  /** Initialised weights of the new network, all of `specs`. */
  readonly fresh: Weights
}

/** Takes every weight that `from` has under the name of a spec, and the fresh one where it has none. */
export const transferWeights = (options: TransferOptions): Effect.Effect<Transfer, TransferMismatch> => {
  const { from, specs } = options
  const [taken, fresh] = [true, false].map((known) =>
    specs.filter(({ name }) => (from[name] !== undefined) === known).map(({ name }) => name)
  ) as [Array<string>, Array<string>]
  const misshapen = specs.flatMap(({ name, shape }) => {
    const found = from[name]?.shape
    return found === undefined || found.join() === shape.join() ? [] : [`${name} [${found}], not [${shape}]`]
  })
  if (misshapen.length > 0) return Effect.fail(new TransferMismatch({ misshapen }))
  const wanted = new Set(specs.map(({ name }) => name))
  return Effect.succeed({
    weights: Object.fromEntries(specs.map(({ name }) => [name, from[name] ?? options.fresh[name]!])),
    taken,
    fresh,
    unused: Object.keys(from).filter((name) => !wanted.has(name))
  })
}
