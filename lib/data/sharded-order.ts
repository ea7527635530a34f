/** In which order an epoch shows the examples of a split that is read shard by shard. */
import { RandomStream } from "../tensor/random.ts"
import { epochOrder } from "./epoch-order.ts"

/** Shards whose examples are mixed with one another at any time: as many as are held in memory for it. */
export const windowShards = 8

/** Places in a sequence of shards, `end` not included. */
export interface ShardWindow {
  readonly first: number
  readonly end: number
}

export interface ShardedOrder {
  /** Every example once. */
  readonly examples: Int32Array
  /** The shards in the order in which they come to be needed. */
  readonly shards: Int32Array
  /** Where in `shards` those stand that are needed for examples `from` up to, not including, `to`. */
  readonly windowOf: (from: number, to: number) => ShardWindow
}

/** The shards of an epoch in the order in which they come to be needed, a function of (seed, epoch). */
export const shardSequence = (numShards: number, seed: number, epoch: number): Int32Array =>
  RandomStream.make(seed, "order", epoch).derive("shards").permutation(numShards)

/** First examples of the shards, and behind the last the number of all. */
export const shardStarts = (sizes: ReadonlyArray<number>): Int32Array => {
  const starts = new Int32Array(sizes.length + 1)
  for (const [shard, size] of sizes.entries()) starts[shard + 1] = starts[shard]! + size
  return starts
}

/**
 * A function of (seed, epoch, sizes of the shards). Of no more shards than a window it is the order that the
 * same examples have as one blob. Of more, the shards are permuted and each is permuted and cut into as many
 * slices as a window has shards; a round shows the first slice of one shard, the second of the one before it,
 * and so on, mixed. So an epoch starts as soon as its first shard is there, and reads each once. The order
 * asked for last is kept.
 */
export const shardedOrder = (
  sizes: ReadonlyArray<number>,
  seed: number,
  window: number = windowShards
): ((epoch: number) => ShardedOrder) => {
  const starts = shardStarts(sizes)
  const wholeOrder = epochOrder(starts.at(-1)!, seed)
  if (sizes.length <= window) {
    const shards = Int32Array.from(sizes, (_, shard) => shard)
    const windowOf = () => ({ first: 0, end: shards.length })
    return (epoch) => ({ examples: wholeOrder(epoch), shards, windowOf })
  }
  let known: { readonly epoch: number; readonly order: ShardedOrder } | undefined
  return (epoch) => {
    if (known?.epoch !== epoch) known = { epoch, order: mixedOrder(starts, seed, epoch, window) }
    return known.order
  }
}

const mixedOrder = (starts: Int32Array, seed: number, epoch: number, window: number): ShardedOrder => {
  const shards = shardSequence(starts.length - 1, seed, epoch)
  const stream = RandomStream.make(seed, "order", epoch)
  const slicesOf = (shard: number) => {
    const size = starts[shard + 1]! - starts[shard]!
    const own = stream.derive("shard", shard).permutation(size)
    return Array.from({ length: window }, (_, slice) =>
      own
        .subarray(Math.floor((size * slice) / window), Math.floor((size * (slice + 1)) / window))
        .map((at) => starts[shard]! + at)
    )
  }
  const examples = new Int32Array(starts.at(-1)!)
  const roundEnds: Array<number> = []
  let open: ReadonlyArray<ReadonlyArray<Int32Array>> = []
  let at = 0
  for (let round = 0; round < shards.length + window - 1; round++) {
    // Of each open shard the next slice; the one that came last stands first.
    const begun = round < shards.length ? slicesOf(shards[round]!) : []
    open = [begun, ...open].slice(0, window)
    const shown = open.flatMap((slices, age) => [...(slices[age] ?? [])])
    for (const index of stream.derive("round", round).permutation(shown.length))
      examples[at++] = shown[index]!
    roundEnds.push(at)
  }
  return { examples, shards, windowOf: windowIn(roundEnds, shards.length, window) }
}

const windowIn = (roundEnds: ReadonlyArray<number>, numShards: number, window: number) => {
  const roundOf = (place: number) => firstAbove(roundEnds, place)
  return (from: number, to: number): ShardWindow => ({
    first: Math.max(0, roundOf(from) - window + 1),
    end: Math.min(numShards, roundOf(to - 1) + 1)
  })
}

/** The first place whose value is above `limit`, in rising values. */
export const firstAbove = (values: ArrayLike<number>, limit: number): number => {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle]! > limit) high = middle
    else low = middle + 1
  }
  return low
}
