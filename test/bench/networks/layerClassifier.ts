/** A network given as data, as the classifier that tasks and trainer know. */
import type { Classifier } from "../../../lib/models/Classifier.ts"
import {
  classifierHead,
  classifierHeadMacs,
  classifierHeadWeights
} from "../../../lib/models/heads/classifier.ts"
import { batchNorm, batchNormWeights } from "../../../lib/nn/batch-norm.ts"
import { conv2d } from "../../../lib/nn/conv.ts"
import type { Mode } from "../../../lib/nn/Mode.ts"
import { maxPoolHalving } from "../../../lib/nn/max-pool.ts"
import { countParameters, type WeightSpec, type WeightTensors, weightOf } from "../../../lib/nn/Weights.ts"
import type { BatchNormTail } from "../../../lib/tensor/batch-norm.ts"
import { tf } from "../../../lib/tensor/tf.ts"
import type { ConvNorm, Layer, Network, Pool } from "./Layer.ts"

export const layerClassifier = ({ channels, layers }: Network, numClasses: number): Classifier => {
  const head = { name: "fc", channels, numClasses, dropout: 0 }
  const whole: Layer = { kind: "sequence", layers }
  const weights = [...layerWeights(whole), ...classifierHeadWeights(head)]
  return {
    numClasses,
    weights,
    parameters: countParameters(weights),
    apply: (tensors, images, mode) =>
      classifierHead(tensors, head, applyLayer({ weights: tensors, mode }, whole, images), mode),
    macs: (height, width) => layerMacs(whole, [height, width]).macs + classifierHeadMacs(head)
  }
}

const layerWeights = (layer: Layer): ReadonlyArray<WeightSpec> => {
  switch (layer.kind) {
    case "conv": {
      const { depthwise, inputs, name, outputs, size } = layer
      const shape = [...size, inputs, depthwise ? 1 : outputs]
      return [{ name: `${name}.weight`, shape, role: "kernel" }, ...batchNormWeights(normOf(layer))]
    }
    case "sequence":
      return layer.layers.flatMap(layerWeights)
    case "concat":
      return layer.branches.flatMap(layerWeights)
    case "residual":
      return [...layer.branch, ...(layer.shortcut ? [layer.shortcut] : [])].flatMap(layerWeights)
    default:
      return []
  }
}

const normOf = ({ name, outputs }: ConvNorm) => ({ name: `${name}.norm`, channels: outputs })

type Extent = readonly [height: number, width: number]

const extentAfter = ({ padding, size, stride }: ConvNorm | Pool, extent: Extent): Extent => {
  const after = (axis: 0 | 1) => {
    const [around, window] =
      typeof size === "number" ? [padding as number, size] : [pair(padding)[axis], size[axis]]
    return Math.floor((extent[axis] + 2 * around - window) / stride) + 1
  }
  return [after(0), after(1)]
}

const pair = (padding: ConvNorm["padding"] | number): readonly [number, number] =>
  typeof padding === "number" ? [padding, padding] : padding

/** Multiply-accumulates of the convolutions for one image, and the size of what comes out. */
const layerMacs = (layer: Layer, extent: Extent): { readonly macs: number; readonly extent: Extent } => {
  switch (layer.kind) {
    case "conv": {
      const after = extentAfter(layer, extent)
      const { depthwise, inputs, outputs, size } = layer
      return {
        macs: size[0] * size[1] * (depthwise ? 1 : inputs) * outputs * after[0] * after[1],
        extent: after
      }
    }
    case "sequence":
      return inSequence(layer.layers, extent)
    case "concat": {
      const branches = layer.branches.map((branch) => layerMacs(branch, extent))
      return { macs: branches.reduce((sum, { macs }) => sum + macs, 0), extent: branches[0]!.extent }
    }
    case "residual": {
      const { extent: after, macs } = inSequence(layer.branch, extent)
      return { macs: macs + (layer.shortcut ? layerMacs(layer.shortcut, extent).macs : 0), extent: after }
    }
    default:
      return { macs: 0, extent: extentAfter(layer, extent) }
  }
}

const inSequence = (layers: ReadonlyArray<Layer>, extent: Extent) =>
  layers.reduce(
    (before, layer) => {
      const { extent: after, macs } = layerMacs(layer, before.extent)
      return { macs: before.macs + macs, extent: after }
    },
    { macs: 0, extent }
  )

interface Running {
  readonly weights: WeightTensors
  readonly mode: Mode
}

const applyLayer = (running: Running, layer: Layer, x: tf.Tensor4D): tf.Tensor4D => {
  switch (layer.kind) {
    case "conv":
      return normalised(running, layer, x, layer.relu ? { activation: "relu" } : {})
    case "sequence":
      return layer.layers.reduce((input, each) => applyLayer(running, each, input), x)
    case "concat":
      return tf.concat(
        layer.branches.map((branch) => applyLayer(running, branch, x)),
        3
      )
    case "residual": {
      const { branch, shortcut } = layer
      const last = branch.at(-1)!
      const inner = branch.slice(0, -1).reduce((input, each) => applyLayer(running, each, input), x)
      const residual = shortcut ? normalised(running, shortcut, x) : x
      return normalised(running, last, inner, { residual, activation: "relu" })
    }
    default:
      return pooled(layer, x)
  }
}

const normalised = (
  { mode, weights }: Running,
  layer: ConvNorm,
  x: tf.Tensor4D,
  tail: BatchNormTail = {}
): tf.Tensor4D => batchNorm(weights, normOf(layer), convolved(weights, layer, x), mode, tail)

const convolved = (weights: WeightTensors, layer: ConvNorm, x: tf.Tensor4D): tf.Tensor4D => {
  const { depthwise, inputs, name, outputs, padding, size, stride } = layer
  const [rows, columns] = padding
  const kernel = weightOf(weights, `${name}.weight`) as tf.Tensor4D
  if (!depthwise && size[0] === size[1] && rows === (size[0] - 1) / 2) {
    return conv2d(weights, { name, size: size[0], inputs, outputs, stride }, x)
  }
  const pad: tf.backend_util.ExplicitPadding | "valid" =
    rows === 0 && columns === 0
      ? "valid"
      : [[0, 0], reached(layer, x.shape[1], 0), reached(layer, x.shape[2], 1), [0, 0]]
  return depthwise ? tf.depthwiseConv2d(x, kernel, stride, pad) : tf.conv2d(x, kernel, stride, pad)
}

/** Zeros before and after; those that no window reaches are left out. */
const reached = (layer: ConvNorm, extent: number, axis: 0 | 1): [number, number] => {
  const around = layer.padding[axis]
  const last = (extentAfter(layer, [extent, extent])[axis] - 1) * layer.stride + layer.size[axis]
  return [around, Math.max(0, last - around - extent)]
}

const pooled = ({ kind, padding, size, stride }: Pool, x: tf.Tensor4D): tf.Tensor4D => {
  if (kind === "average") return tf.avgPool(x, size, stride, padding === 0 ? "valid" : "same")
  return padding === 0 ? tf.maxPool(x, size, stride, "valid") : maxPoolHalving(x)
}
