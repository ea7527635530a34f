/**
 * The head of RetinaNet (Lin et al., "Focal Loss for Dense Object Detection", arXiv 1708.02002, §4): two
 * towers of 3x3 convolutions with ReLU, one for classes and one for boxes, the same weights on every level of
 * the pyramid.
 *
 * Names are torchvision's under `head.`, the one of its box output too, which is not this project's word.
 */
import { type Conv, conv2d, convMacs, convWeights } from "../../nn/conv.ts"
import type { WeightSpec, WeightTensors } from "../../nn/Weights.ts"
import { tf } from "../../tensor/tf.ts"
import type { Level } from "../necks/fpn.ts"

export interface RetinaHead {
  /** Of the pyramid's maps and of the towers. */
  readonly channels: number
  readonly numClasses: number
  readonly anchorsPerCell: number
  readonly towerConvs: number
}

export interface Detections {
  /** `[N, A, K]`, before the sigmoid; A counts the anchors of all levels: level, row, column, anchor. */
  readonly logits: tf.Tensor3D
  /** `[N, A, 4]`, what the box coder makes of anchor and box. */
  readonly deltas: tf.Tensor3D
}

/**
 * How sure an untrained head is of every class. At even chances the many anchors on background would drown
 * the first steps.
 */
const priorProbability = 0.01

const normal = { kind: "normal", deviation: 0.01 } as const
const zero = { kind: "constant", value: 0 } as const
const unlikely = { kind: "constant", value: -Math.log((1 - priorProbability) / priorProbability) } as const

const tower = (name: string, { channels, towerConvs }: RetinaHead): ReadonlyArray<Conv> =>
  Array.from({ length: towerConvs }, (_, index) => ({
    name: `${name}.conv.${index}.0`,
    size: 3,
    inputs: channels,
    outputs: channels,
    stride: 1,
    bias: true,
    initial: { kernel: normal, bias: zero }
  }))

/** The convolutions of each branch, the output last. */
const branches = (head: RetinaHead) => {
  const output = { size: 3, inputs: head.channels, stride: 1, bias: true } as const
  const classes = "head.classification_head"
  const boxes = "head.regression_head"
  return {
    classes: [
      ...tower(classes, head),
      {
        ...output,
        name: `${classes}.cls_logits`,
        outputs: head.anchorsPerCell * head.numClasses,
        initial: { kernel: normal, bias: unlikely }
      }
    ],
    boxes: [
      ...tower(boxes, head),
      {
        ...output,
        name: `${boxes}.bbox_reg`,
        outputs: head.anchorsPerCell * 4,
        initial: { kernel: normal, bias: zero }
      }
    ]
  } satisfies Record<string, ReadonlyArray<Conv>>
}

export const retinaHeadWeights = (head: RetinaHead): ReadonlyArray<WeightSpec> =>
  Object.values(branches(head)).flatMap((convs) => convs.flatMap(convWeights))

/** Multiply-accumulates over all levels. */
export const retinaHeadMacs = (head: RetinaHead, levels: ReadonlyArray<Level>): number => {
  const convs = Object.values(branches(head)).flat()
  return levels
    .flatMap(({ columns, rows }) => convs.map((conv) => convMacs(conv, rows, columns)))
    .reduce((sum, macs) => sum + macs, 0)
}

/** Pyramid maps `[N, rows, columns, channels]` → {@link Detections} */
export const retinaHead = (
  weights: WeightTensors,
  head: RetinaHead,
  maps: ReadonlyArray<tf.Tensor4D>
): Detections => {
  const { boxes, classes } = branches(head)
  const all = (convs: ReadonlyArray<Conv>, values: number) =>
    tf.concat(
      maps.map((map) => perAnchor(runBranch(weights, convs, map), values)),
      1
    )
  return { logits: all(classes, head.numClasses), deltas: all(boxes, 4) }
}

const runBranch = (weights: WeightTensors, convs: ReadonlyArray<Conv>, map: tf.Tensor4D): tf.Tensor4D =>
  convs.reduce((x, conv, index) => conv2d(weights, conv, index === 0 ? x : (tf.relu(x) as tf.Tensor4D)), map)

/** `[N, rows, columns, anchors * values]` → `[N, rows * columns * anchors, values]` */
const perAnchor = (map: tf.Tensor4D, values: number): tf.Tensor3D =>
  tf.reshape(map, [map.shape[0], map.size / map.shape[0] / values, values])
