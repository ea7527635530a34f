/** Feeds of which some fill a part of their arrays only. */
import type { Feed, Feeds, RunFeeds, ShapedFeed } from "../tensor/Runtime.ts"

/** Inputs by name, of another shape than was declared. */
export type Shapes<I extends string> = { readonly [K in I]?: ReadonlyArray<number> }

/** The values of a shape stand first in the input's array. */
export const shapedFeeds = <I extends string>(
  feeds: Feeds<I>,
  shapes: Shapes<I> | undefined
): RunFeeds<I> => {
  if (shapes === undefined) return feeds
  const given: Record<string, Feed | ShapedFeed> = { ...feeds }
  for (const [name, shape] of Object.entries<ReadonlyArray<number> | undefined>(shapes)) {
    if (shape === undefined) continue
    const count = shape.reduce((product, extent) => product * extent, 1)
    given[name] = { shape, values: feeds[name as I].subarray(0, count) }
  }
  return given as RunFeeds<I>
}
