/** In which order the shards of a split are read so that neighbours in the source come apart. */
import type { RandomStream } from "../tensor/random.ts"

/**
 * Groups of shards, drawn at random from all over the split, so large that each still fits into `bytesMax`,
 * with one shard at least. Every shard is in one.
 */
export const mixedGroups = (
  sizesBytes: ReadonlyArray<number>,
  bytesMax: number,
  stream: RandomStream
): ReadonlyArray<ReadonlyArray<number>> => {
  const groups: Array<Array<number>> = []
  let groupBytes = Number.POSITIVE_INFINITY
  for (const shard of stream.permutation(sizesBytes.length)) {
    const sizeBytes = sizesBytes[shard]!
    if (groupBytes + sizeBytes > bytesMax) {
      groups.push([])
      groupBytes = 0
    }
    groups.at(-1)!.push(shard)
    groupBytes += sizeBytes
  }
  return groups
}
