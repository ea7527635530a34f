/**
 * A task is what one training loop does not know: which network runs on which inputs, and what its loss is.
 * Classification, distillation (and later detection, segmentation) are tasks; the loop is one.
 */
import type { Mode } from "../nn/Mode.ts"
import type { WeightSpec, WeightTensors } from "../nn/Weights.ts"
import type { Feeds, Fetches } from "../tensor/Runtime.ts"
import type { tf } from "../tensor/tf.ts"

export interface Forward<O extends string> {
  /** A scalar, mean over the batch. */
  readonly loss: tf.Scalar
  readonly outputs: { readonly [K in O]: tf.Tensor }
}

/** A part of a mean: over an epoch, the totals are added up and divided by the weights added up. */
export interface Share {
  readonly total: number
  readonly weight: number
}

/** `I` names what a batch feeds, `O` what each step gives back besides the loss. */
export interface Task<I extends string, O extends string> {
  /**
   * The weights that are trained (and their running statistics); others, as a teacher's, stay with the
   * task.
   */
  readonly weights: ReadonlyArray<WeightSpec>
  readonly forward: (
    weights: WeightTensors,
    inputs: { readonly [K in I]: tf.Tensor },
    mode: Mode
  ) => Forward<O>
  /** What a step came to besides its loss, by name (`top1`): shown per epoch, never trained on. */
  readonly measure: (outputs: Fetches<O>, feeds: Feeds<I>) => Readonly<Record<string, Share>>
}
