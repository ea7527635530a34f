/** Segmentation: cross-entropy of every labelled pixel. */
import { segmentationCrossEntropy } from "../../losses/segmentation-cross-entropy.ts"
import type { Segmenter } from "../../models/Segmenter.ts"
import type { WeightSpec } from "../../nn/Weights.ts"
import { tf } from "../../tensor/tf.ts"
import type { Task } from "../Task.ts"

export type SegmentationInput = "images" | "labels"
export type SegmentationTask = Task<SegmentationInput, "correct" | "labelled">

/**
 * `images` `[N, H, W, C]` and `labels` `[N, H, W]`; pixels outside of 0…K-1 are ignored by the loss and
 * by the pixel accuracy. `weights` are the segmenter's, some of them perhaps frozen.
 */
export const segmentationTask = (
  segmenter: Segmenter,
  weights: ReadonlyArray<WeightSpec> = segmenter.weights
): SegmentationTask => ({
  weights,
  forward: (tensors, { images, labels }, mode) => {
    const wanted = labels as tf.Tensor3D
    const logits = segmenter.apply(tensors, images as tf.Tensor4D, mode)
    const labelled = tf.logicalAnd(tf.greaterEqual(wanted, 0), tf.less(wanted, segmenter.numClasses))
    const hits = tf.equal(tf.argMax(logits, -1), wanted)
    const count = (pixels: tf.Tensor) => tf.sum(tf.cast(pixels, "float32"))
    return {
      loss: segmentationCrossEntropy(wanted, logits),
      outputs: { correct: count(hits), labelled: count(labelled) }
    }
  },
  measure: ({ correct, labelled }) => ({ pixelAccuracy: { total: correct[0]!, weight: labelled[0]! } })
})
