/** What both sides of a comparison have in common: first weights, batches. As `fitClassifier` makes them. */
import type { Normalization } from "../../lib/data/augment/normalization.ts"
import { classificationBatches, type LabelledImages } from "../../lib/data/batches.ts"
import type { Classifier } from "../../lib/models/Classifier.ts"
import { initializeWeights } from "../../lib/nn/initializers.ts"
import { RandomStream } from "../../lib/tensor/random.ts"
import type { TrainingParams } from "../../lib/train/TrainingParams.ts"

export const firstWeightsOf = (
  { weights }: Classifier,
  { initializer, seed, zeroGamma = false }: TrainingParams
) => initializeWeights(weights, initializer, RandomStream.make(seed, "weights"), { zeroGamma })

export const batchesOf = (options: {
  readonly dataset: LabelledImages
  readonly normalization: Normalization
  readonly numClasses: number
  readonly training: TrainingParams
}) => classificationBatches({ ...options.training, ...options })
