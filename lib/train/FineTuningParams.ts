/** How a classifier that is trained already learns on, as data; light enough for a stage's contract. */
import { Schema, Struct } from "effect"
import { targetsFlaw } from "./TargetParams.ts"
import { TrainingParams, wholeMicroBatches } from "./TrainingParams.ts"

/** Without what is about new weights, about all of a network's blocks, or about several sizes of images. */
export const FineTuningParams = Schema.Struct(
  Struct.omit(TrainingParams.fields, [
    "initializer",
    "zeroGamma",
    "stochasticDepth",
    "auxiliaryWeight",
    "imageSizes"
  ])
).check(
  wholeMicroBatches,
  Schema.makeFilter((params) => targetsFlaw(params, params.epochs) ?? true)
)
export type FineTuningParams = typeof FineTuningParams.Type
