/** Puts an FCN head on a classifier's backbone and trains both on masks: He et al. 2018 §5.2. */
import { Effect, Schema } from "effect"
import { SegmenterHead } from "../lib/models/HeadParams.ts"
import { TransferParams } from "../lib/train/TransferParams.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, PreparedDataset, Segmenter } from "./artifacts.ts"

export const TransferSegmentationParams = Schema.Struct({
  ...TransferParams.fields,
  head: SegmenterHead.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(SegmenterHead.make({}))),
    Schema.withConstructorDefault(Effect.succeed(SegmenterHead.make({})))
  )
})
export const transferSegmentationInputs = { dataset: PreparedDataset.segmentation, classifier: Classifier }

export const TransferSegmentation = Stage.make("transfer-segmentation", {
  params: TransferSegmentationParams,
  inputs: transferSegmentationInputs,
  output: Segmenter,
  pool: "tensor",
  capabilities: ({ training }) => [training.precision],
  run: () => import("./transfer-segmentation.run.ts")
})
