/** Puts an FCN head on a classifier's backbone and trains both on masks: He et al. 2018 §6.2. */
import { Schema } from "effect"
import { OutputStride } from "../lib/models/Architecture.ts"
import { SegmenterHead } from "../lib/models/HeadParams.ts"
import { withDefault } from "../lib/models/withDefault.ts"
import { TransferParams } from "../lib/train/TransferParams.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, PreparedDataset, Segmenter } from "./artifacts.ts"

export const TransferSegmentationParams = Schema.Struct({
  ...TransferParams.fields,
  head: withDefault(SegmenterHead, SegmenterHead.make({})),
  /** Input pixels per cell of the backbone's coarsest map, where it is not to be as in the classifier. */
  outputStride: Schema.optionalKey(OutputStride)
})
export const transferSegmentationInputs = { dataset: PreparedDataset.segmentation, classifier: Classifier }

export const TransferSegmentation = Stage.make("transfer-segmentation", {
  params: TransferSegmentationParams,
  inputs: transferSegmentationInputs,
  output: Segmenter,
  resultServices: ["TensorRuntime"],
  pool: "gpu",
  capabilities: ({ training }) => [training.precision],
  run: () => import("./transfer-segmentation.run.ts")
})
