/** How a detector or segmenter starts from a classifier, as data; light enough for a stage's contract. */
import { Effect, Schema } from "effect"
import { DenseAugment } from "./DenseAugment.ts"
import { OptimizationParams } from "./TrainingParams.ts"

/** Of a detector or segmenter, which see every pixel: boxes and masks move with the image. */
export const DenseTrainingParams = Schema.Struct({
  ...OptimizationParams.fields,
  augment: DenseAugment.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(DenseAugment.make({}))),
    Schema.withConstructorDefault(Effect.succeed(DenseAugment.make({})))
  )
})
export type DenseTrainingParams = typeof DenseTrainingParams.Type

export const TransferParams = Schema.Struct({
  /** What the backbone's weights start as; "random" takes the architecture alone, to compare with. */
  start: Schema.Literals(["classifier", "random"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("classifier" as const)),
    Schema.withConstructorDefault(Effect.succeed("classifier" as const))
  ),
  /** Weights that stay as they are, by the beginning of their names: `["conv1", "bn1", "layer1"]`. */
  frozen: Schema.Array(Schema.NonEmptyString).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed([])),
    Schema.withConstructorDefault(Effect.succeed([]))
  ),
  training: DenseTrainingParams
})
export type TransferParams = typeof TransferParams.Type
