/** How a detector or segmenter starts from a classifier, as data; light enough for a stage's contract. */
import { Schema } from "effect"
import { withDefault } from "../models/withDefault.ts"
import { DenseAugment } from "./DenseAugment.ts"
import { OptimizationParams, wholeMicroBatches } from "./TrainingParams.ts"

/** Of a detector or segmenter, which see every pixel: boxes and masks move with the image. */
export const DenseTrainingParams = Schema.Struct({
  ...OptimizationParams.fields,
  augment: withDefault(DenseAugment, DenseAugment.make({}))
}).check(wholeMicroBatches)
export type DenseTrainingParams = typeof DenseTrainingParams.Type

export const TransferParams = Schema.Struct({
  /** What the backbone's weights start as; "random" takes the architecture alone, to compare with. */
  start: withDefault(Schema.Literals(["classifier", "random"]), "classifier"),
  /** Weights that stay as they are, by the beginning of their names: `["conv1", "bn1", "layer1"]`. */
  frozen: withDefault(Schema.Array(Schema.NonEmptyString), []),
  training: DenseTrainingParams
})
export type TransferParams = typeof TransferParams.Type
