/**
 * Our networks as plain data for PyTorch (`peers/network.py`). Families that are made of layers hand out
 * their own; `networks.test.ts` compares what is written down here beside them.
 */
import type { Architecture } from "../../../lib/models/Architecture.ts"
import { inceptionV3Parts } from "../../../lib/models/backbones/inception-v3.ts"
import { mobileNetV1Parts } from "../../../lib/models/backbones/mobilenet-v1.ts"
import { type Part, partLayers } from "../../../lib/models/sequential-backbone.ts"
import type { ConvNorm } from "../../../lib/nn/conv-norm.ts"
import { type Layer, layerOutputs } from "../../../lib/nn/layers.ts"
import { resNet50, resNetCifar } from "./resnet.ts"

export type PeerLayer =
  | Layer
  | Residual
  /** 3x3 with stride 2, one cell of padding on every side. */
  | { readonly kind: "halving-max-pool" }

/** `relu(branch(x) + shortcut(x))`: a ReLU behind each of the branch but the last, none behind a shortcut. */
export interface Residual {
  readonly kind: "residual"
  readonly branch: ReadonlyArray<ConvNorm>
  readonly shortcut?: ConvNorm
}

export interface PeerNetwork {
  readonly layers: ReadonlyArray<PeerLayer>
  /** Of the last layer's output, which is averaged over the picture for the linear layer. */
  readonly channels: number
}

export const peerNetwork = (architecture: Architecture): PeerNetwork => {
  switch (architecture.family) {
    case "mobilenet-v1":
      return sequential(mobileNetV1Parts(architecture))
    case "inception-v3":
      return sequential(inceptionV3Parts(architecture))
    case "resnet":
      return resNet50()
    case "resnet-cifar":
      return resNetCifar(architecture.depth)
  }
}

const imageChannels = 3

const sequential = (parts: ReadonlyArray<Part>): PeerNetwork => {
  const layers = partLayers(parts, imageChannels)
  return { layers, channels: layerOutputs({ kind: "sequence", layers }, imageChannels) }
}
