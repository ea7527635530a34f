/** Backbones that are one sequence: every part reads what the one before made, and ends in a feature map. */
import {
  applyLayer,
  type Layer,
  type LayerFor,
  layerCost,
  layerOutputs,
  layerStride,
  layerWeights
} from "../nn/layers.ts"
import type { tf } from "../tensor/tf.ts"
import type { Backbone, FeatureName, FeatureSpec } from "./Backbone.ts"

/** The layers that end in the map of this name. */
export type Part = readonly [feature: FeatureName, layers: LayerFor]

export interface SequentialOptions {
  readonly imageChannels: number
  /** Finest first. */
  readonly parts: ReadonlyArray<Part>
  /** Whether windows without padding leave out what lies at the border. */
  readonly leavesMargin?: true
}

export const sequentialBackbone = ({ imageChannels, leavesMargin, parts }: SequentialOptions): Backbone => {
  const layers = partLayers(parts, imageChannels)
  const whole: Layer = { kind: "sequence", layers }
  const features = parts.map(([name], index): readonly [FeatureName, FeatureSpec] => {
    const above: Layer = { kind: "sequence", layers: layers.slice(0, index + 1) }
    const channels = layerOutputs(above, imageChannels)
    const extent = (pixels: number) => layerCost(above, pixels, pixels).height
    return [name, { channels, stride: layerStride(above), ...(leavesMargin && { extent }) }]
  })
  return {
    weights: layerWeights(whole),
    features: Object.fromEntries(features),
    apply: (weights, images, mode) => {
      const maps: { [F in FeatureName]?: tf.Tensor4D } = {}
      let x = images
      for (const [index, [name]] of parts.entries()) {
        x = applyLayer(weights, layers[index]!, x, mode)
        maps[name] = x
      }
      return maps
    },
    macs: (height, width) => layerCost(whole, height, width).macs
  }
}

/** The layers of each part, for images of so many channels. */
export const partLayers = (parts: ReadonlyArray<Part>, imageChannels: number): ReadonlyArray<Layer> => {
  const layers: Array<Layer> = []
  let channels = imageChannels
  for (const [, part] of parts) {
    const layer = part(channels)
    layers.push(layer)
    channels = layerOutputs(layer, channels)
  }
  return layers
}
