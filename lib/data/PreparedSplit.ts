/** How a split lies in the store: one blob where it is held in memory, shards where that is too much. */
import { Schema } from "effect"
import { BlobRef } from "../storage/BlobStore.ts"

/**
 * One safetensors blob. All have `images` U8 `[N, H, W, C]`; for classification `labels` I32 `[N]`
 * (`labelled-images.ts`), for detection boxes and their classes (`boxed-images.ts`), for segmentation `masks`
 * U8 `[N, H, W]` (`masked-images.ts`).
 */
export const WholeSplit = Schema.Struct({ numExamples: Schema.Int, tensors: BlobRef })
export type WholeSplit = typeof WholeSplit.Type

/**
 * Labelled images of a split that is larger than a window of training (`sharded-order.ts`). Each shard is a
 * blob as a whole split is one; all but the last have equally many images. Those of a training split are
 * mixed, whatever order they came in.
 */
export const ShardedSplit = Schema.Struct({
  numExamples: Schema.Int,
  /** Of the images as they are stored: the input's and the margin. */
  height: Schema.Int,
  width: Schema.Int,
  channels: Schema.Int,
  /** safetensors, `labels` I32 `[N]`: those of all shards, so that nobody reads images for them. */
  labels: BlobRef,
  shards: Schema.Array(Schema.Struct({ ...BlobRef.fields, numExamples: Schema.Int }))
})
export type ShardedSplit = typeof ShardedSplit.Type

export const LabelledSplit = Schema.Union([WholeSplit, ShardedSplit])
export type LabelledSplit = typeof LabelledSplit.Type

/** The blobs of a split in the order of its images; each is read by `decodeLabelledImages`. */
export const blobsOfSplit = (split: LabelledSplit): ReadonlyArray<BlobRef> =>
  "tensors" in split ? [split.tensors] : split.shards
