/** Which features dropout keeps: a function of (seed, epoch, example) like all chance in training. */
import type { RandomStream } from "../tensor/random.ts"

export interface Dropout {
  /** The share of features that are dropped, 0…1. */
  readonly rate: number
  /** Of an example. */
  readonly numFeatures: number
}

/**
 * Writes the factors of a batch's features into `kept` `[N, F]`: 0 for what is dropped, 1 / (1 - rate) for
 * the rest, so that sums stay as large on average. `random` is the epoch's stream.
 */
export const writeKept = (
  kept: Float32Array,
  examples: Int32Array,
  { numFeatures, rate }: Dropout,
  random: RandomStream
): void => {
  const factor = 1 / (1 - rate)
  for (const [slot, example] of examples.entries()) {
    const ofExample = random.derive(example)
    const end = (slot + 1) * numFeatures
    for (let at = slot * numFeatures; at < end; at++) kept[at] = ofExample.uniform() < rate ? 0 : factor
  }
}
