/** How a network runs: learning (statistics of the batch, collected) or evaluating (running statistics). */
import { tf } from "../tensor/tf.ts"

export type Mode =
  | { readonly kind: "training"; readonly statistics: BatchStatistics }
  | { readonly kind: "evaluation" }

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
