/** `distillery/data`: what a stage of one's own reads datasets with. */
export type { LabelledImages } from "../../lib/data/batches.ts"
export { boxesOfImage, decodeBoxedImages } from "../../lib/data/boxed-images.ts"
export { decodeLabelledImages, encodeLabelledImages } from "../../lib/data/labelled-images.ts"
export { decodeMaskedImages } from "../../lib/data/masked-images.ts"
export { blobsOfSplit, type LabelledSplit } from "../../lib/data/PreparedSplit.ts"
export { readBoxShard, readMaskShard, readShard, ShardWriter } from "../../lib/data/shards.ts"
