/** A single-stage object detector: a backbone, a feature pyramid and RetinaNet's head on every level. */
import { Effect } from "effect"
import type { Mode } from "../nn/Mode.ts"
import { countParameters, type WeightSpec, type WeightTensors } from "../nn/Weights.ts"
import type { tf } from "../tensor/tf.ts"
import type { Architecture } from "./Architecture.ts"
import { type Backbone, refuseMargins } from "./Backbone.ts"
import { loadBackbone } from "./backbones/index.ts"
import type { DetectorHead } from "./HeadParams.ts"
import { type Detections, retinaHead, retinaHeadMacs, retinaHeadWeights } from "./heads/retina.ts"
import { type Level, makePyramid } from "./necks/fpn.ts"

export interface Detector {
  readonly numClasses: number
  /** On each cell of each level. */
  readonly anchorsPerCell: number
  /** The backbone's under the names they have in a classifier; the others under `fpn.` and `head.` */
  readonly weights: ReadonlyArray<WeightSpec>
  /** Learned numbers, running statistics not counted. */
  readonly parameters: number
  /** Finest first: the order of the anchors, A = anchorsPerCell x sum of rows x columns. */
  readonly levels: (height: number, width: number) => ReadonlyArray<Level>
  /**
   * Images `[N, H, W, C]`, normalised → `logits` `[N, A, K]` and `deltas` `[N, A, 4]`, anchors by level, row,
   * column and anchor of the cell.
   */
  readonly apply: (weights: WeightTensors, images: tf.Tensor4D, mode: Mode) => Detections
  /** Multiply-accumulates of the convolutions for one image of `height` x `width` pixels. */
  readonly macs: (height: number, width: number) => number
}

export interface DetectorOptions {
  readonly numClasses: number
  readonly head: DetectorHead
  readonly anchorsPerCell: number
}

export const makeDetector = (options: DetectorOptions & { readonly backbone: Backbone }): Detector => {
  const { anchorsPerCell, backbone, numClasses } = options
  refuseMargins(backbone)
  const { channels, extraLevels, towerConvs } = options.head
  const pyramid = makePyramid({ backbone, channels, extraLevels })
  const head = { channels, numClasses, anchorsPerCell, towerConvs }
  const weights = [...backbone.weights, ...pyramid.weights, ...retinaHeadWeights(head)]
  return {
    numClasses,
    anchorsPerCell,
    weights,
    parameters: countParameters(weights),
    levels: pyramid.levels,
    apply: (tensors, images, mode) =>
      retinaHead(tensors, head, pyramid.apply(tensors, backbone.apply(tensors, images, mode))),
    macs: (height, width) =>
      backbone.macs(height, width) +
      pyramid.macs(height, width) +
      retinaHeadMacs(head, pyramid.levels(height, width))
  }
}

/** Loads the backbone's code and builds the detector on it. */
export const loadDetector = (
  options: DetectorOptions & { readonly architecture: Architecture; readonly imageChannels: number }
): Effect.Effect<Detector> =>
  loadBackbone(options.architecture, options.imageChannels).pipe(
    Effect.map((backbone) => makeDetector({ ...options, backbone }))
  )
