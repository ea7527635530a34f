import { RandomStream } from "../tensor/random.ts"

/** Which of `count` examples of a split are used: all, or `limit` of them chosen by the seed. */
export const limitExamples = (
  split: string,
  count: number,
  { limit, seed }: { readonly limit: number | null; readonly seed: number }
): ((index: number) => boolean) => {
  if (limit === null || limit >= count) return () => true
  const chosen = new Set(RandomStream.make(seed, "limit", split).permutation(count).subarray(0, limit))
  return (index) => chosen.has(index)
}
