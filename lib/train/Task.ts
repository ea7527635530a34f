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
  /** How many examples of the batch the network got right, for the training accuracy. */
  readonly countCorrect: (outputs: Fetches<O>, feeds: Feeds<I>) => number
}
