/**
 * The classification head of convolutional networks: average over the picture, in some dropout (Srivastava et
 * al., JMLR 2014), then one linear layer.
 */
import { linear, linearWeights } from "../../nn/linear.ts"
import type { Mode } from "../../nn/Mode.ts"
import type { WeightSpec, WeightTensors } from "../../nn/Weights.ts"
import { globalMean } from "../../tensor/global-mean.ts"
import { tf } from "../../tensor/tf.ts"

export interface ClassifierHead {
  /** Of the linear layer. */
  readonly name: string
  readonly channels: number
  readonly numClasses: number
  /** The share of features that training drops, 0…1. */
  readonly dropout: number
}

const fc = ({ channels, name, numClasses }: ClassifierHead) => ({
  name,
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
  features: tf.Tensor4D,
  mode: Mode
): tf.Tensor2D => linear(weights, fc(head), dropped(head, globalMean(features), mode))

/** Which features are kept comes with the batch: chance is a function of (seed, epoch, example) there. */
const dropped = ({ dropout }: ClassifierHead, features: tf.Tensor2D, mode: Mode): tf.Tensor2D => {
  if (dropout === 0 || mode.kind === "evaluation") return features
  if (mode.kept === undefined) {
    throw new Error(
      `This classifier drops ${dropout} of its features while it learns, so its batches must say which: ` +
        "make them with `dropout`, or build the architecture with dropout 0."
    )
  }
  return tf.mul(features, mode.kept)
}
