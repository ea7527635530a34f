/** Checks what is fed to a step, and says what it is fed as. */
import type { Feed, RunFeeds, TensorSpec } from "../../lib/tensor/Runtime.ts"
import { sizeOf } from "./tensors.ts"

/** The values for one input and what they are. */
export interface CheckedFeed {
  readonly name: string
  readonly spec: TensorSpec
  readonly values: Feed
}

/**
 * The feeds in the order of the inputs; throws if one is missing, or of another type or size than its shape
 * asks for.
 */
export const checkedFeeds = (
  inputs: Readonly<Record<string, TensorSpec>>,
  feeds: RunFeeds<string>
): ReadonlyArray<CheckedFeed> =>
  Object.entries(inputs).map(([name, declared]) => {
    const feed = feeds[name]
    if (feed === undefined || isArray(feed)) return checkedFeed(name, declared, feed)
    const dtype = feed.values instanceof Int32Array ? "int32" : "float32"
    return checkedFeed(name, { shape: feed.shape, dtype }, feed.values)
  })

const isArray = (feed: RunFeeds<string>[string]): feed is Feed => ArrayBuffer.isView(feed)

const checkedFeed = (name: string, spec: TensorSpec, values: Feed | undefined): CheckedFeed => {
  const wanted = spec.dtype === "float32" ? Float32Array : Int32Array
  const size = sizeOf(spec.shape)
  if (values instanceof wanted && values.length === size) return { name, spec, values }
  const got = values === undefined ? "nothing" : `a ${values.constructor.name} of ${values.length}`
  throw new Error(
    `input "${name}" takes a ${wanted.name} of ${size} (shape [${spec.shape}]) and was fed ${got}; ` +
      "for values of another shape, feed `{ shape, values }`"
  )
}
