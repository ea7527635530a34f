/** Detection: focal loss on the classes of all anchors, Huber loss on the boxes of those that have one. */
import { focalLoss } from "../../losses/focal.ts"
import { huberLoss } from "../../losses/huber.ts"
import type { Detector } from "../../models/Detector.ts"
import type { WeightSpec } from "../../nn/Weights.ts"
import { tf } from "../../tensor/tf.ts"
import type { Task } from "../Task.ts"

export type DetectionInput = "images" | "labels" | "deltas"
export type DetectionTask = Task<DetectionInput, "classLoss" | "boxLoss">

/**
 * `images` `[N, H, W, C]`, `labels` `[N, A]` (a class, -1 background, -2 ignored) and `deltas` `[N, A, 4]`.
 * Both losses are sums over the batch divided by its number of positive anchors (RetinaNet §4.1).
 * `weights` are the detector's, some of them perhaps frozen.
 */
export const detectionTask = (
  detector: Detector,
  weights: ReadonlyArray<WeightSpec> = detector.weights
): DetectionTask => ({
  weights,
  forward: (tensors, { deltas, images, labels }, mode) => {
    const found = detector.apply(tensors, images as tf.Tensor4D, mode)
    const wanted = labels as tf.Tensor2D
    const classLoss = focalLoss({ logits: found.logits, labels: wanted })
    const boxLoss = huberLoss({ deltas: found.deltas, targets: deltas as tf.Tensor3D, labels: wanted })
    return { loss: tf.add<tf.Scalar>(classLoss, boxLoss), outputs: { classLoss, boxLoss } }
  },
  measure: ({ boxLoss, classLoss }) => ({
    classLoss: { total: classLoss[0]!, weight: 1 },
    boxLoss: { total: boxLoss[0]!, weight: 1 }
  })
})
