/** The labelled images of a split, however they lie in the store. */
import { Effect } from "effect"
import { BlobStore } from "../storage/BlobStore.ts"
import { decodeLabelledImages } from "./labelled-images.ts"
import type { LabelledSplit } from "./PreparedSplit.ts"
import { ShardedImages } from "./ShardedImages.ts"

/** A whole split is read; of a sharded one, whose shards last as long as the scope, the labels are. */
export const openSplit = Effect.fn("openSplit")(function* (split: LabelledSplit) {
  if ("shards" in split) return yield* ShardedImages.open(split)
  return yield* Effect.flatMap((yield* BlobStore).get(split.tensors), decodeLabelledImages)
})
