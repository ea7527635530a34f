/** How a network runs: learning (statistics of the batch, collected) or evaluating (running statistics). */
import { tf } from "../tensor/tf.ts"
import type { WeightSpec } from "./Weights.ts"

export type Mode =
  | {
      readonly kind: "training"
      readonly statistics: BatchStatistics
      /**
       * Whether the weight of a name stays as it is. A normalisation whose running statistics are frozen runs
       * as in evaluation and records nothing.
       */
      readonly frozen?: ((name: string) => boolean) | undefined
      /** What dropout makes of features `[N, F]` that a classifier averaged: 0, or 1 / (1 - rate). */
      readonly kept?: tf.Tensor2D | undefined
      /**
       * What stochastic depth makes of the branches of B residual blocks, `[N, B]`: 0, or 1 / their
       * chance.
       */
      readonly keptBlocks?: tf.Tensor2D | undefined
    }
  | { readonly kind: "evaluation" }

/** Learning with those of `specs` frozen that say so. */
export const training = (specs: ReadonlyArray<WeightSpec>, statistics: BatchStatistics): Mode => {
  const frozen = new Set(specs.filter((spec) => spec.frozen === true).map((spec) => spec.name))
  return { kind: "training", statistics, frozen: (name) => frozen.has(name) }
}

export const evaluation: Mode = { kind: "evaluation" }

/**
 * What normalisations saw in one training step, by the name of the running statistic it belongs to. `apply`
 * stays a function of its weights: it records here, and the step moves the running statistics afterwards.
 */
export class BatchStatistics {
  readonly #observed = new Map<string, tf.Tensor>()

  /** Outlives the tidy scope of the gradients; {@link take} gives it back to the caller's scope. */
  record(name: string, value: tf.Tensor): void {
    if (this.#observed.has(name)) throw new Error(`The statistic "${name}" was recorded twice in one step.`)
    this.#observed.set(name, tf.keep(tf.clone(value)))
  }

  /** Empties the collection. */
  take(): ReadonlyArray<readonly [name: string, value: tf.Tensor]> {
    const taken = [...this.#observed].map(([name, kept]) => {
      const value = tf.clone(kept)
      kept.dispose()
      return [name, value] as const
    })
    this.#observed.clear()
    return taken
  }
}
