/**
 * The head of a fully convolutional network (Long, Shelhamer & Darrell, arXiv 1411.4038), in torchvision's
 * and GluonCV's form: a 3x3 convolution to a quarter of the channels, batch norm, ReLU, and a score for every
 * class. Scores of a finer map may be added (the paper's §4.2, FCN-8s with c3 alone); they start at zero, so
 * training begins without them.
 *
 * Names are torchvision's (`classifier.0`, `.1`, `.4`: 2 and 3 are ReLU and dropout, left out here).
 */
import { type BatchNorm, batchNorm, batchNormWeights } from "../../nn/batch-norm.ts"
import { type Conv, conv2d, convMacs, convWeights } from "../../nn/conv.ts"
import type { Mode } from "../../nn/Mode.ts"
import { resizeBilinear } from "../../nn/upsample.ts"
import type { WeightSpec, WeightTensors } from "../../nn/Weights.ts"
import { tf } from "../../tensor/tf.ts"

export interface FcnHead {
  /** Of the coarsest map. */
  readonly channels: number
  readonly numClasses: number
  /** Of the finer map whose scores are added, if there is one. */
  readonly skipChannels: number | undefined
}

const zero = { kind: "constant", value: 0 } as const

const inner = ({ channels }: FcnHead): number => Math.max(1, Math.floor(channels / 4))

const narrowing = (head: FcnHead): Conv => ({
  name: "classifier.0",
  size: 3,
  inputs: head.channels,
  outputs: inner(head),
  stride: 1
})

const norm = (head: FcnHead): BatchNorm => ({ name: "classifier.1", channels: inner(head) })

const scoring = (head: FcnHead): Conv => ({
  name: "classifier.4",
  size: 1,
  inputs: inner(head),
  outputs: head.numClasses,
  stride: 1,
  bias: true
})

const skipScoring = ({ numClasses, skipChannels }: FcnHead): Conv | undefined =>
  skipChannels === undefined
    ? undefined
    : {
        name: "classifier.skip",
        size: 1,
        inputs: skipChannels,
        outputs: numClasses,
        stride: 1,
        bias: true,
        initial: { kernel: zero, bias: zero }
      }

export const fcnHeadWeights = (head: FcnHead): ReadonlyArray<WeightSpec> => {
  const skip = skipScoring(head)
  return [
    ...convWeights(narrowing(head)),
    ...batchNormWeights(norm(head)),
    ...convWeights(scoring(head)),
    ...(skip === undefined ? [] : convWeights(skip))
  ]
}

type Extent = readonly [rows: number, columns: number]

/** Multiply-accumulates for maps of these sizes; interpolation does not count. */
export const fcnHeadMacs = (head: FcnHead, coarsest: Extent, finer: Extent): number => {
  const skip = skipScoring(head)
  return (
    convMacs(narrowing(head), ...coarsest) +
    convMacs(scoring(head), ...coarsest) +
    (skip === undefined ? 0 : convMacs(skip, ...finer))
  )
}

/**
 * The coarsest map `[N, h, w, channels]` → scores `[N, h, w, K]`; with a finer map `[N, H, W, skipChannels]`
 * → scores `[N, H, W, K]`.
 */
export const fcnHead = (
  weights: WeightTensors,
  head: FcnHead,
  maps: { readonly coarsest: tf.Tensor4D; readonly finer: tf.Tensor4D | undefined },
  mode: Mode
): tf.Tensor4D => {
  const narrow = conv2d(weights, narrowing(head), maps.coarsest)
  const features = batchNorm(weights, norm(head), narrow, mode, { activation: "relu" })
  const scores = conv2d(weights, scoring(head), features)
  const skip = skipScoring(head)
  if (skip === undefined || maps.finer === undefined) return scores
  const [, rows, columns] = maps.finer.shape
  return tf.add(resizeBilinear(scores, rows, columns), conv2d(weights, skip, maps.finer))
}
