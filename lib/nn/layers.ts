/** Networks without shortcuts, as plain data: convolutions and pools in sequence and side by side. */
import { tf } from "../tensor/tf.ts"
import { convExtents, convMacs } from "./conv.ts"
import { type ConvNorm, type Cost, convNorm, convNormWeights } from "./conv-norm.ts"
import { localMean } from "./local-mean.ts"
import type { Mode } from "./Mode.ts"
import type { WeightSpec, WeightTensors } from "./Weights.ts"

export type Layer =
  | ConvLayer
  | Pool
  /** See {@link localMean}. */
  | { readonly kind: "local-mean"; readonly size: number }
  | { readonly kind: "sequence"; readonly layers: ReadonlyArray<Layer> }
  /** Branches that read the same, their outputs put together along the channels. */
  | { readonly kind: "concat"; readonly branches: ReadonlyArray<Layer> }

export interface ConvLayer extends ConvNorm {
  readonly kind: "conv"
  readonly activation: "relu" | "relu6"
}

/** Of whole windows: rows and columns that fill none are left out. */
export interface Pool {
  readonly kind: "max-pool" | "average-pool"
  readonly size: number
  readonly stride: number
}

/** A layer, once it is known how many channels it reads. */
export type LayerFor = (inputs: number) => Layer

export const sequence =
  (...parts: ReadonlyArray<LayerFor>): LayerFor =>
  (inputs) => {
    const layers: Array<Layer> = []
    let channels = inputs
    for (const part of parts) {
      const layer = part(channels)
      layers.push(layer)
      channels = layerOutputs(layer, channels)
    }
    return { kind: "sequence", layers }
  }

export const concat =
  (...parts: ReadonlyArray<LayerFor>): LayerFor =>
  (inputs) => ({ kind: "concat", branches: parts.map((part) => part(inputs)) })

export const pool =
  (kind: Pool["kind"], size: number, stride: number): LayerFor =>
  () => ({ kind, size, stride })

/** Channels that come out where `inputs` come in. */
export const layerOutputs = (layer: Layer, inputs: number): number => {
  switch (layer.kind) {
    case "conv":
      return layer.conv.outputs
    case "sequence":
      return layer.layers.reduce((channels, each) => layerOutputs(each, channels), inputs)
    case "concat":
      return layer.branches.reduce((sum, branch) => sum + layerOutputs(branch, inputs), 0)
    default:
      return inputs
  }
}

/** Cells of the input for each of the output, along an axis. */
export const layerStride = (layer: Layer): number => {
  switch (layer.kind) {
    case "conv":
      return layer.conv.stride
    case "sequence":
      return layer.layers.reduce((stride, each) => stride * layerStride(each), 1)
    case "concat":
      return layerStride(layer.branches[0]!)
    case "local-mean":
      return 1
    default:
      return layer.stride
  }
}

export const layerWeights = (layer: Layer): ReadonlyArray<WeightSpec> => {
  switch (layer.kind) {
    case "conv":
      return convNormWeights(layer)
    case "sequence":
      return layer.layers.flatMap(layerWeights)
    case "concat":
      return layer.branches.flatMap(layerWeights)
    default:
      return []
  }
}

/** Of one image of `height` x `width` cells. */
export const layerCost = (layer: Layer, height: number, width: number): Cost => {
  switch (layer.kind) {
    case "conv": {
      const [rows, columns] = convExtents(layer.conv, height, width)
      return { macs: convMacs(layer.conv, height, width), height: rows, width: columns }
    }
    case "local-mean":
      return { macs: 0, height, width }
    case "sequence":
      return layer.layers.reduce<Cost>(
        (before, each) => {
          const cost = layerCost(each, before.height, before.width)
          return { ...cost, macs: before.macs + cost.macs }
        },
        { macs: 0, height, width }
      )
    case "concat": {
      const costs = layer.branches.map((branch) => layerCost(branch, height, width))
      return { ...costs[0]!, macs: costs.reduce((sum, { macs }) => sum + macs, 0) }
    }
    default:
      return { macs: 0, height: windowsAlong(layer, height), width: windowsAlong(layer, width) }
  }
}

const windowsAlong = ({ size, stride }: Pool, extent: number): number =>
  Math.floor((extent - size) / stride) + 1

/** `[N, H, W, inputs]` → `[N, H', W', outputs]`, H' and W' as {@link layerCost} says. */
export const applyLayer = (weights: WeightTensors, layer: Layer, x: tf.Tensor4D, mode: Mode): tf.Tensor4D => {
  switch (layer.kind) {
    case "conv":
      return convNorm(weights, layer, x, mode, { activation: layer.activation })
    case "max-pool":
      return tf.maxPool(x, layer.size, layer.stride, "valid")
    case "average-pool":
      return tf.avgPool(x, layer.size, layer.stride, "valid")
    case "local-mean":
      return localMean(x, layer.size)
    case "sequence":
      return layer.layers.reduce((input, each) => applyLayer(weights, each, input, mode), x)
    case "concat":
      return tf.concat(
        layer.branches.map((branch) => applyLayer(weights, branch, x, mode)),
        3
      )
  }
}
