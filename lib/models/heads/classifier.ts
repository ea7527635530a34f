/** The classification head of ResNets: average over the picture, then one linear layer, named `fc`. */
import { linear, linearWeights } from "../../nn/linear.ts"
import type { WeightSpec, WeightTensors } from "../../nn/Weights.ts"
import { globalMean } from "../../tensor/global-mean.ts"
import type { tf } from "../../tensor/tf.ts"

export interface ClassifierHead {
  readonly channels: number
  readonly numClasses: number
}

const fc = ({ channels, numClasses }: ClassifierHead) => ({
  name: "fc",
  inputs: channels,
  outputs: numClasses
})

export const classifierHeadWeights = (head: ClassifierHead): ReadonlyArray<WeightSpec> =>
  linearWeights(fc(head))

export const classifierHeadMacs = ({ channels, numClasses }: ClassifierHead): number => channels * numClasses

/** Features `[N, H, W, channels]` → logits `[N, K]` */
export const classifierHead = (
  weights: WeightTensors,
  head: ClassifierHead,
  features: tf.Tensor4D
): tf.Tensor2D => linear(weights, fc(head), globalMean(features))
