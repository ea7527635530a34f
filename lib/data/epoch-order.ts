/** In which order an epoch shows its examples. */
import { RandomStream } from "../tensor/random.ts"

/**
 * A permutation of `0 … count - 1` for every epoch, a function of (seed, epoch). The last one asked for is
 * kept: a permutation of 60,000 takes a while.
 */
export const epochOrder = (count: number, seed: number): ((epoch: number) => Int32Array) => {
  let known: { readonly epoch: number; readonly order: Int32Array } | undefined
  return (epoch) => {
    if (known?.epoch !== epoch) {
      known = { epoch, order: RandomStream.make(seed, "order", epoch).permutation(count) }
    }
    return known.order
  }
}
