/**
 * Puts a detection head on a classifier's backbone and trains both on boxes: RetinaNet (Lin et al. 2017)
 * in the place of the paper's Faster R-CNN (He et al. 2018 §6.1), since all its shapes are known
 * beforehand.
 */
import { Schema } from "effect"
import { AnchorChoice, DetectorHead } from "../lib/models/HeadParams.ts"
import { withDefault } from "../lib/models/withDefault.ts"
import { TransferParams } from "../lib/train/TransferParams.ts"
import * as Stage from "../lib/workflow/Stage.ts"
import { Classifier, Detector, PreparedDataset } from "./artifacts.ts"

export const TransferDetectionParams = Schema.Struct({
  ...TransferParams.fields,
  head: withDefault(DetectorHead, DetectorHead.make({})),
  anchors: withDefault(AnchorChoice, { kind: "retina" })
})
export const transferDetectionInputs = { dataset: PreparedDataset.detection, classifier: Classifier }

export const TransferDetection = Stage.make("transfer-detection", {
  params: TransferDetectionParams,
  inputs: transferDetectionInputs,
  output: Detector,
  resultServices: ["TensorRuntime"],
  pool: "gpu",
  capabilities: ({ training }) => [training.precision],
  run: () => import("./transfer-detection.run.ts")
})
