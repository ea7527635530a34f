/** What a classifier is trained towards, as data: smoothed and mixed labels, and the loss that compares. */
import { Schema } from "effect"
import type { Mixing } from "../data/mixing.ts"
import { leftOut, withDefault } from "../models/withDefault.ts"
import { inRange, integerInRange } from "./ranges.ts"

export const TargetParams = Schema.Struct({
  /** How much of a target is taken from the label and given to the classes; 0: none. */
  labelSmoothing: withDefault(inRange("labelSmoothing", 0, 1), 0),
  /** Given to the other classes (the paper's §5.2), or to all of them (Szegedy et al. 2016; GluonCV). */
  labelSmoothingForm: leftOut(Schema.Literals(["paper", "szegedy"]), "paper"),
  /**
   * Against the softmax of the logits, or of a sigmoid for each class (Wightman et al. 2021, "ResNet strikes
   * back": as a mean), added up over classes or averaged, whose gradient is K times smaller.
   */
  loss: leftOut(Schema.Literals(["cross-entropy", "binary-sum", "binary-mean"]), "cross-entropy"),
  /** For binary losses: a target above this counts as 1, any other as 0 (timm: 0.2); null: as it is. */
  targetThreshold: leftOut(Schema.NullOr(inRange("targetThreshold", 0, 1)), null),
  /** Mixup (Zhang et al. 2018): images are blended by a share that is drawn from Beta(this, this); 0: not. */
  mixup: leftOut(inRange("mixup", 0, 100), 0),
  /** CutMix (Yun et al. 2019): a box of such a share is cut out for another image's; 0: not. */
  cutmix: leftOut(inRange("cutmix", 0, 100), 0),
  /** Where both are on: how often it is CutMix. */
  cutmixShare: leftOut(inRange("cutmixShare", 0, 1), 0.5),
  /** Whether chance decides once a batch (GluonCV; of micro-batches once each), or for each image. */
  mixingPer: leftOut(Schema.Literals(["batch", "example"]), "batch"),
  /** How often something is mixed at all. */
  mixingProbability: leftOut(inRange("mixingProbability", 0, 1), 1),
  /** How many epochs at the end see images as they are. */
  unmixedEpochs: leftOut(integerInRange("unmixedEpochs", 0, 10_000), 0)
})
export type TargetParams = typeof TargetParams.Type

/** How batches are mixed under these params over so many epochs; undefined: not at all. */
export const mixingOf = (params: TargetParams, epochs: number): Mixing | undefined => {
  const { cutmix = 0, cutmixShare = 0.5, mixingPer = "batch", mixingProbability = 1, mixup = 0 } = params
  const endEpoch = epochs - (params.unmixedEpochs ?? 0)
  if (mixup === 0 && cutmix === 0) return undefined
  return { mixup, cutmix, cutmixShare, per: mixingPer, probability: mixingProbability, endEpoch }
}

/** Why these would be taken and do nothing; `undefined`: they act. */
export const targetsFlaw = (params: TargetParams, epochs: number): string | undefined => {
  const { loss = "cross-entropy", targetThreshold = null, unmixedEpochs = 0 } = params
  if (targetThreshold !== null && loss === "cross-entropy") {
    return 'targetThreshold is for the losses "binary-sum" or "binary-mean": say one, or leave it out'
  }
  const mixing = mixingOf(params, epochs)
  if (mixing === undefined || mixing.endEpoch > 0) return undefined
  return (
    `unmixedEpochs (${unmixedEpochs}) leaves all ${epochs} epochs unmixed: take fewer, or leave mixup and ` +
    "cutmix out"
  )
}
