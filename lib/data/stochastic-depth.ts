/**
 * Stochastic depth (Huang et al. 2016, arXiv 1603.09382): examples skip the branches of residual blocks, late
 * ones more often. A function of (seed, epoch, example) like all chance in training.
 */
import type { RandomStream } from "../tensor/random.ts"

export interface StochasticDepth {
  /**
   * How often the last block is skipped, from 0, below 1. Those before it are in proportion to their
   * place.
   */
  readonly rate: number
  readonly numBlocks: number
}

/** How often the block at a place, from 0, is kept. */
export const chanceOfBlock = ({ numBlocks, rate }: StochasticDepth, place: number): number =>
  1 - ((place + 1) / numBlocks) * rate

/**
 * Writes the factors of a batch's branches into `kept` `[N, B]`: 0 for what is skipped, 1 / its chance for
 * the rest, so that evaluation takes all as they are. `random` is the epoch's stream.
 */
export const writeKeptBlocks = (
  kept: Float32Array,
  examples: Int32Array,
  depth: StochasticDepth,
  random: RandomStream
): void => {
  const { numBlocks } = depth
  const chances = Array.from({ length: numBlocks }, (_, place) => chanceOfBlock(depth, place))
  for (const [slot, example] of examples.entries()) {
    const ofExample = random.derive(example)
    for (const [place, chance] of chances.entries()) {
      kept[slot * numBlocks + place] = ofExample.uniform() < chance ? 1 / chance : 0
    }
  }
}
